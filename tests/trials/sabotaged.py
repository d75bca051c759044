"""A small regression with two components, whole and with one thing broken at a time; and a GAN."""

import itertools
import random

import torch
import torch.nn.functional as F
from torch import nn


class Net(nn.Module):
    def __init__(self, width=32):
        super().__init__()
        self.trunk = nn.Sequential(nn.Linear(4, width), nn.ReLU())
        self.head = nn.Linear(width, 3)

    def forward(self, x):
        return self.head(self.trunk(x))


class DetachedHead(Net):
    def forward(self, x):
        return self.head(self.trunk(x)).detach() + 0 * self.head.bias.sum()


class IgnoresInput(Net):
    def forward(self, x):
        return super().forward(torch.zeros_like(x))


class DeadReLU(Net):
    """The last activation never opens."""

    def __init__(self, width=32):
        super().__init__(width)
        nn.init.constant_(self.head.bias, -100.0)

    def forward(self, x):
        return F.relu(super().forward(x))


class Frozen(Net):
    def __init__(self, width=32):
        super().__init__(width)
        self.requires_grad_(False)


def data(samples=16):
    generator = torch.Generator().manual_seed(0)
    for _ in range(4):
        x = torch.randn(samples, 4, generator=generator)
        yield x, torch.stack([x[:, 0] * x[:, 1], x[:, 2].sin(), x.sum(1)], dim=1)


def above_zero():
    """Targets that a ReLU can reach."""
    return ((x, y.abs()) for x, y in data())


def losses(model, batch):
    x, y = batch
    output = model(x)
    return {"square": F.mse_loss(output, y), "absolute": F.l1_loss(output, y)}, output


def terms(output, batch):
    return {"square": F.mse_loss(output, batch[1]), "absolute": F.l1_loss(output, batch[1])}


def wrong_sign(output, batch):
    """`absolute` is to be minimised and has lost its sign on the way."""
    return {"square": F.mse_loss(output, batch[1]), "absolute": -F.l1_loss(output, batch[1])}


dice = random.Random(0)


def shuffled_targets(output, batch):
    """The targets belong to other inputs in every step."""
    order = list(range(len(output)))
    dice.shuffle(order)
    return terms(output, (batch[0], batch[1][order]))


def overflowing(output, batch):
    """The sum of squares of large numbers has no place in fp16."""
    scaled = (100 * (output - batch[1])).half()
    return {"square": scaled.square().sum().float(), "absolute": F.l1_loss(output, batch[1])}


class GAN(nn.Module):
    def __init__(self):
        super().__init__()
        self.generator = nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 2))
        self.discriminator = nn.Sequential(nn.Linear(2, 32), nn.ReLU(), nn.Linear(32, 1))


def far_away():
    """Data that the generator cannot get to before the discriminator has learned to tell them apart for sure."""
    generator = torch.Generator().manual_seed(0)
    for _ in itertools.repeat(None, 4):
        yield 20 + torch.randn(32, 2, generator=generator)


def game(model, real):
    fake = model.generator(torch.randn(len(real), 2))
    return {
        "discriminator": {
            "real": F.softplus(-model.discriminator(real)).mean(),
            "fake": F.softplus(model.discriminator(fake.detach())).mean(),
        },
        "generator": {"adversarial": F.softplus(-model.discriminator(fake)).mean()},
    }
