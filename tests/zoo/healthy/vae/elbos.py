"""VAEs that are right: sums on both sides, a β with free bits, a learned observation noise."""

import math

import torch
import torch.nn.functional as F
from torch import nn


class VAE(nn.Module):
    def __init__(self, side=14, hidden=96, latent=8, learned_noise=False):
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Flatten(), nn.Linear(side * side, hidden), nn.SiLU(), nn.Linear(hidden, 2 * latent)
        )
        self.decoder = nn.Sequential(nn.Linear(latent, hidden), nn.SiLU(), nn.Linear(hidden, side * side))
        self.log_sigma = nn.Parameter(torch.zeros(())) if learned_noise else None

    def forward(self, x):
        mu, logvar = self.encoder(x).chunk(2, 1)
        z = mu + torch.randn_like(mu) * (logvar / 2).exp()
        return self.decoder(z), mu, logvar


class Digits(torch.utils.data.Dataset):
    def __init__(self, n=64, side=14, seed=0, scale=1.0):
        g = torch.Generator().manual_seed(seed)
        self.x = ((F.interpolate(torch.rand(n, 1, 4, 4, generator=g), size=side, mode="bilinear") - 0.5) * 6).sigmoid()
        self.x = (self.x * scale).clamp(0, 1)

    def __len__(self):
        return len(self.x)

    def __getitem__(self, i):
        return self.x[i], 0


def both_summed(output, batch):
    """pytorch/examples: both terms are sums over the batch."""
    logits, mu, logvar = output
    bce = F.binary_cross_entropy(torch.sigmoid(logits), batch[0].flatten(1), reduction="sum")
    return {"bce": bce, "kld": -0.5 * torch.sum(1 + logvar - mu.pow(2) - logvar.exp())}


def both_per_sample(model, batch):
    x = batch[0].flatten(1)
    logits, mu, logvar = model(batch[0])
    nll = F.binary_cross_entropy_with_logits(logits, x, reduction="none").sum(1)
    kl = -0.5 * (1 + logvar - mu.square() - logvar.exp()).sum(1)
    return {"nll": nll.mean(), "kl": kl.mean()}


def free_bits(output, batch, bits=0.02):
    logits, mu, logvar = output
    kl = -0.5 * (1 + logvar - mu.square() - logvar.exp())
    return {
        "rec": F.binary_cross_entropy_with_logits(logits, batch[0].flatten(1), reduction="none").sum(1).mean(),
        "kl": kl.mean(0).clamp(min=bits).sum(),
    }


def sigma_vae(model, batch):
    """Learned observation noise (Rybkin et al. 2021): the likelihood may well be negative."""
    x = batch[0].flatten(1)
    x_hat, mu, logvar = model(batch[0])
    log_sigma = model.log_sigma
    nll = 0.5 * ((x - x_hat) / log_sigma.exp()).pow(2) + log_sigma + 0.5 * math.log(2 * math.pi)
    return {"nll": nll.sum(1).mean(), "kl": -0.5 * (1 + logvar - mu**2 - logvar.exp()).sum(1).mean()}


def mean_with_a_small_kl(output, batch):
    """Means over pixels, with the KL divided by their number."""
    x_hat, mu, logvar = output
    x = batch[0].flatten(1)
    kl = -0.5 * (1 + logvar - mu**2 - logvar.exp()).sum(1).mean()
    return {"recon": F.mse_loss(torch.sigmoid(x_hat), x), "kl": kl}
