"""A DCGAN with hinge losses and spectral normalisation, both players in one module."""

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils.parametrizations import spectral_norm


def generator(latent):
    return nn.Sequential(
        nn.ConvTranspose2d(latent, 32, 4),
        nn.BatchNorm2d(32),
        nn.ReLU(inplace=True),
        nn.ConvTranspose2d(32, 16, 4, 2, 1),
        nn.BatchNorm2d(16),
        nn.ReLU(inplace=True),
        nn.ConvTranspose2d(16, 3, 4, 2, 1),
        nn.Tanh(),
    )


def discriminator():
    return nn.Sequential(
        spectral_norm(nn.Conv2d(3, 16, 4, 2, 1)),
        nn.LeakyReLU(0.2),
        spectral_norm(nn.Conv2d(16, 32, 4, 2, 1)),
        nn.LeakyReLU(0.2),
        spectral_norm(nn.Conv2d(32, 1, 4)),
        nn.Flatten(0),
    )


class GAN(nn.Module):
    def __init__(self, latent=16):
        super().__init__()
        self.latent = latent
        self.G = generator(latent)
        self.D = discriminator()

    def sample(self, n):
        return self.G(torch.randn(n, self.latent, 1, 1))


def batches():
    for seed in range(4):
        generator = torch.Generator().manual_seed(seed)
        yield F.interpolate(torch.rand(8, 3, 4, 4, generator=generator), size=16, mode="bilinear") * 2 - 1


def losses(model, real):
    fake = model.sample(len(real))
    return {
        "discriminator": {
            "real": F.relu(1 - model.D(real)).mean(),
            "fake": F.relu(1 + model.D(fake.detach())).mean(),
        },
        "generator": {"adversarial": -model.D(fake).mean()},
    }
