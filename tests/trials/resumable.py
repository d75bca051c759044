"""Setups whose runs depend on all that a state has to hold: random numbers, buffers, the order of the data."""

import random

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Net(nn.Module):
    """Dropout draws numbers, batch norm has statistics, and one buffer is not in the state dict."""

    def __init__(self):
        super().__init__()
        self.trunk = nn.Sequential(nn.Linear(4, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.2))
        self.head = nn.Linear(16, 3)
        self.register_buffer("drift", torch.zeros(3), persistent=False)

    def forward(self, x):
        output = self.head(self.trunk(x))
        if self.training:
            self.drift = 0.9 * self.drift + 0.1 * output.detach().mean(0)
        return output - 0.5 * self.drift


def terms(output, batch):
    noise = 0.1 * torch.randn_like(output)
    return {"square": F.mse_loss(output + noise, batch[1]), "absolute": F.l1_loss(output, batch[1])}


def overflowing(output, batch):
    """Beyond fp16 with the first scale of a GradScaler, so that it has to be lowered."""
    return {name: 100 * value for name, value in terms(output, batch).items()}


def _samples(count):
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(count, 4, generator=generator)
    return x, torch.stack([x[:, 0] * x[:, 1], x[:, 2].sin(), x.sum(1)], dim=1)


def data_set():
    """lossdoctor makes the loader."""
    return TensorDataset(*_samples(30))


def shuffled_loader(workers=0):
    return DataLoader(data_set(), batch_size=8, shuffle=True, num_workers=workers)


def generated():
    """Used up after five batches that are never the same: from NumPy's, Python's and torch's generators."""
    for _ in range(5):
        x = torch.randn(8, 4) + float(np.random.normal()) + random.gauss(0, 1)
        yield x, x[:, :3].sin()


class Endless:
    """Goes on for ever, with a state of its own."""

    def __init__(self):
        self.count = 0

    def __iter__(self):
        return self

    def __next__(self):
        self.count += 1
        x = torch.randn(8, 4, generator=torch.Generator().manual_seed(self.count))
        return x, x[:, :3].sin()


class GAN(nn.Module):
    def __init__(self):
        super().__init__()
        self.generator = nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 4))
        self.discriminator = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 1))


def game(model, batch):
    real = batch[0]
    fake = model.generator(torch.randn(len(real), 2))
    return {
        "discriminator": {
            "real": F.softplus(-model.discriminator(real)).mean(),
            "fake": F.softplus(model.discriminator(fake.detach())).mean(),
        },
        "generator": {"adversarial": F.softplus(-model.discriminator(fake)).mean()},
    }


def detached(output, batch):
    return {**terms(output, batch), "absolute": F.l1_loss(output, batch[1]).detach()}
