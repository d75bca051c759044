"""A regression in two units, with what makes two runs of it differ though nobody meant it."""

import os

import torch
import torch.nn.functional as F
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.trunk = nn.Sequential(nn.Linear(4, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.2))
        self.head = nn.Linear(16, 2)

    def forward(self, x):
        return self.head(self.trunk(x))


class Unseeded(Net):
    """Its weights do not follow the seed."""

    def __init__(self):
        super().__init__()
        generator = torch.Generator().manual_seed(int.from_bytes(os.urandom(6), "big"))
        for parameter in self.parameters():
            parameter.data += torch.randn(parameter.shape, generator=generator)


def dataset():
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(96, 4, generator=generator)
    return torch.utils.data.TensorDataset(x, torch.stack([x[:, 0] * x[:, 1], x.sum(1)], dim=1))


def held_out():
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(32, 4, generator=generator)
    yield x, torch.stack([x[:, 0] * x[:, 1], x.sum(1)], dim=1)


def unseeded():
    generator = torch.Generator().manual_seed(int.from_bytes(os.urandom(6), "big"))
    for _ in range(4):
        x = torch.randn(16, 4, generator=generator)
        yield x, x[:, :2]


def losses(model, batch):
    output = model(batch[0])
    return {
        "product": 1e4 * F.mse_loss(output[:, 0], batch[1][:, 0]),
        "sum": F.mse_loss(output[:, 1], batch[1][:, 1]),
    }


def normalised(model, batch):
    return {name: value / (1e4 if name == "product" else 1) for name, value in losses(model, batch).items()}


calls = 0


def counting(model, batch):
    """A step that keeps a count of its own, as those with a schedule of their own do."""
    global calls
    calls += 1
    terms = losses(model, batch)
    return {**terms, "calls": 0 * terms["sum"] + calls}


def error(model, batch):
    """The raw error, written again."""
    with torch.no_grad():
        difference = (model(batch[0]) - batch[1]).square().mean(0)
    return {"quality": -float(difference.sum()), "product again": 1e4 * float(difference[0])}
