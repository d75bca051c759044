"""VQGAN-style autoencoder with an adversarial term that is to start later."""

import torch
import torch.nn.functional as F
from torch import nn


class Autoencoder(nn.Module):
    def __init__(self, width=16):
        super().__init__()
        self.encoder = nn.Sequential(nn.Conv2d(3, width, 4, 2, 1), nn.SiLU(), nn.Conv2d(width, 4, 3, padding=1))
        self.decoder = nn.Sequential(
            nn.Conv2d(4, width, 3, padding=1), nn.SiLU(), nn.ConvTranspose2d(width, 3, 4, 2, 1)
        )
        self.discriminator = nn.Sequential(
            nn.Conv2d(3, width, 4, 2, 1), nn.LeakyReLU(0.2), nn.Conv2d(width, 1, 4, 2, 1)
        )


def images(n=4, batch=4, size=16, seed=0):
    g = torch.Generator().manual_seed(seed)
    for _ in range(n):
        yield F.interpolate(torch.rand(batch, 3, 6, 6, generator=g), size=size, mode="bilinear") * 2 - 1


def step(model, x):
    x_hat = model.decoder(model.encoder(x))
    real, fake = model.discriminator(x), model.discriminator(x_hat.detach())
    return {
        "autoencoder": {"rec": (x_hat - x).abs().mean(), "adv": -model.discriminator(x_hat).mean()},
        "discriminator": {"hinge": 0.5 * (F.relu(1 - real).mean() + F.relu(1 + fake).mean())},
    }
