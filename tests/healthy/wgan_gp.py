"""A Wasserstein GAN with gradient penalty: a critic without a floor, and a gradient inside its loss."""

import torch
from torch import nn


def mlp(inputs, outputs):
    return nn.Sequential(nn.Linear(inputs, 32), nn.LeakyReLU(0.2), nn.Linear(32, outputs))


class WGAN(nn.Module):
    def __init__(self, latent=6, dim=10):
        super().__init__()
        self.latent = latent
        self.generator = mlp(latent, dim)
        self.critic = mlp(dim, 1)


def batches():
    for seed in range(4):
        yield torch.randn(32, 10, generator=torch.Generator().manual_seed(seed)).cumsum(1)


def gradient_penalty(critic, real, fake):
    mix = torch.rand(len(real), 1)
    between = (mix * real + (1 - mix) * fake).requires_grad_(True)
    (gradient,) = torch.autograd.grad(critic(between).sum(), between, create_graph=True)
    return ((gradient.norm(2, dim=1) - 1) ** 2).mean()


def losses(model, real):
    fake = model.generator(torch.randn(len(real), model.latent))
    return {
        "critic": {
            "wasserstein": model.critic(fake.detach()).mean() - model.critic(real).mean(),
            "penalty": gradient_penalty(model.critic, real, fake.detach()),
        },
        "generator": {"adversarial": -model.critic(fake).mean()},
    }
