"""A variational autoencoder for the readings of a machine's sensors, with a head that tells the machine's state."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import TensorDataset

SENSORS = 12
STATES = ("normal", "worn bearing", "overheating")


def readings(count: int = 512, seed: int = 0) -> TensorDataset:
    """Simulate standardised readings (count, SENSORS) and the machine's state (count,) for each.

    Load, speed and temperature drive all sensors. Heat makes the state "overheating", load and speed together wear out
    the bearing.
    """
    random = np.random.default_rng(seed)
    causes = random.normal(size=(count, 3))
    load, speed, temperature = causes.T
    signal = np.tanh(causes @ random.normal(size=(3, SENSORS)))
    measured = signal + 0.1 * random.normal(size=signal.shape)
    measured = (measured - measured.mean(axis=0)) / measured.std(axis=0)
    state = np.where(temperature > 1, 2, np.where(speed + load > 1.2, 1, 0))
    return TensorDataset(torch.tensor(measured, dtype=torch.float32), torch.tensor(state))


class SensorVAE(nn.Module):
    """Encodes readings as a Gaussian in a latent space; a sample of it is decoded, its mean is classified."""

    def __init__(self, latent: int = 4, hidden: int = 64) -> None:
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Linear(SENSORS, hidden), nn.SiLU(), nn.Linear(hidden, hidden), nn.SiLU(), nn.Linear(hidden, 2 * latent)
        )
        self.decoder = nn.Sequential(nn.Linear(latent, hidden), nn.SiLU(), nn.Linear(hidden, SENSORS))
        self.classifier = nn.Linear(latent, len(STATES))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return reconstruction (N, SENSORS), logits (N, STATES), and mean and log variance (N, latent)."""
        mean, log_variance = self.encoder(x).chunk(2, dim=1)
        sample = mean + torch.randn_like(mean) * torch.exp(log_variance / 2)
        return self.decoder(sample), self.classifier(mean), mean, log_variance


def losses(model: SensorVAE, batch: tuple[Tensor, Tensor]) -> dict[str, Tensor]:
    """Return the components of the loss, unweighted.

    Reconstruction and KL are both sums over a sample's elements and means over the batch, as the ELBO has them: a mean
    over the elements on one side only would change their balance with the number of sensors.
    """
    x, state = batch
    reconstruction, logits, mean, log_variance = model(x)
    kl = -0.5 * (1 + log_variance - mean.square() - log_variance.exp()).sum(dim=1).mean()
    return {
        "reconstruction": 0.5 * (reconstruction - x).square().sum(dim=1).mean(),
        "state": F.cross_entropy(logits, state),
        "kl": kl,
    }
