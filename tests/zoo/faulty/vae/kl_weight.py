"""Beta-VAE: the KL weight that is configured is not the one that is trained with."""

import torch
import torch.nn.functional as F
from torch import nn


class BetaVAE(nn.Module):
    def __init__(self, latent=10, width=32, inputs=64):
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(inputs, width), nn.ReLU(), nn.Linear(width, 2 * latent))
        self.decoder = nn.Sequential(nn.Linear(latent, width), nn.ReLU(), nn.Linear(width, inputs))

    def forward(self, x):
        mu, logvar = self.encoder(x).chunk(2, -1)
        std = torch.exp(0.5 * logvar)
        return {"x": self.decoder(mu + std * torch.randn_like(std)), "mu": mu, "logvar": logvar}


def batches(n=4, batch=16, inputs=64, seed=0):
    g = torch.Generator().manual_seed(seed)
    mixing = torch.randn(5, inputs, generator=g)
    for _ in range(n):
        yield torch.tanh(torch.randn(batch, 5, generator=g) @ mixing * 0.4)


def components(model, x):
    out = model(x)
    kl = -0.5 * (1 + out["logvar"] - out["mu"] ** 2 - out["logvar"].exp())
    return {"recon": F.mse_loss(out["x"], x), "kl": kl.sum(1).mean()}


M_N, M_N_VALIDATION = 0.00025, 1.0


def total(model, x):
    """Copied from the validation step, with its M_N."""
    c = components(model, x)
    return c["recon"] + M_N_VALIDATION * c["kl"]


def components_with_tc(model, x):
    out = model(x)
    mu, logvar = out["mu"], out["logvar"]
    return {
        "likelihood": (out["x"] - x).pow(2).sum(1).mean(),
        "kl": 0.5 * (mu.pow(2) + logvar.exp() - 1 - logvar).sum(1).mean(),
        "sparsity": mu.abs().mean(),
    }


def total_with_wrong_sign(model, x):
    """−KLD is what was logged; it went into the total as it was."""
    c = components_with_tc(model, x)
    return c["likelihood"] - 4.0 * c["kl"] + 0.1 * c["sparsity"]
