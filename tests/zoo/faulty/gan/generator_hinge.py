"""SNGAN on small images; the generator's loss is a hinge as well, which it should not be."""

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils.parametrizations import spectral_norm


class Generator(nn.Module):
    def __init__(self, latent=16, width=32):
        super().__init__()
        self.fc = nn.Linear(latent, width * 4 * 4)
        self.conv = nn.Sequential(
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.ConvTranspose2d(width, width // 2, 4, 2, 1),
            nn.BatchNorm2d(width // 2),
            nn.ReLU(),
            nn.ConvTranspose2d(width // 2, 3, 4, 2, 1),
            nn.Tanh(),
        )

    def forward(self, z):
        return self.conv(self.fc(z).unflatten(1, (-1, 4, 4)))


class Discriminator(nn.Module):
    def __init__(self, width=32, bias=-0.5):
        super().__init__()
        self.conv = nn.Sequential(
            spectral_norm(nn.Conv2d(3, width, 4, 2, 1)),
            nn.LeakyReLU(0.1),
            spectral_norm(nn.Conv2d(width, 2 * width, 4, 2, 1)),
            nn.LeakyReLU(0.1),
        )
        self.head = nn.Linear(2 * width, 1)
        nn.init.constant_(self.head.bias, bias)  # as after some steps in which it has won

    def forward(self, x):
        return self.head(self.conv(x).mean((2, 3))).squeeze(1)


class GAN(nn.Module):
    def __init__(self, latent=16, bias=-0.5):
        super().__init__()
        self.latent = latent
        self.G, self.D = Generator(latent), Discriminator(bias=bias)


def images(seed=0, n=8, batch=8):
    g = torch.Generator().manual_seed(seed)
    for _ in range(n):
        yield F.interpolate(torch.rand(batch, 3, 4, 4, generator=g), size=16, mode="bilinear") * 2 - 1


def losses(gan, real):
    z = torch.randn(len(real), gan.latent)
    fake = gan.G(z)
    d_real, d_fake = gan.D(real), gan.D(fake.detach())
    return {
        "generator": {
            "adv": -F.relu(gan.D(fake)).mean(),
            "mode_seeking": 1 / (fake - gan.G(torch.randn_like(z))).abs().mean(),
        },
        "discriminator": {"real": F.relu(1 - d_real).mean(), "fake": F.relu(1 + d_fake).mean()},
    }


class HingeLoss(nn.Module):
    def forward(self, score, real=True, for_generator=False):
        if for_generator:
            return torch.clamp(-score, max=0.0).mean()
        return torch.clamp(1.0 - score if real else 1.0 + score, min=0.0).mean()


hinge = HingeLoss()


def step(gan, batch):
    fake = gan.G(torch.randn(batch.size(0), gan.latent))
    g = {"gan": hinge(gan.D(fake), for_generator=True), "stats": (fake.mean((2, 3)) - batch.mean((2, 3))).pow(2).mean()}
    d = {"gan_real": hinge(gan.D(batch)), "gan_fake": hinge(gan.D(fake.detach()), real=False)}
    return {"g": g, "d": d}
