"""A regression whose components have gradients of any size: the units of a practitioner who mixes metres and millimetres."""

import torch
from torch import nn


class Pose(nn.Module):
    def __init__(self):
        super().__init__()
        self.trunk = nn.Sequential(nn.Linear(6, 32), nn.Tanh())
        self.head = nn.Linear(32, 6)

    def forward(self, x):
        return self.head(self.trunk(x))


def batches(count=8, seed=1):
    generator = torch.Generator().manual_seed(seed)
    mixing = torch.randn(6, 6, generator=torch.Generator().manual_seed(0))
    for _ in range(count):
        x = torch.randn(64, 6, generator=generator)
        yield x, x @ mixing / 3


def losses(model, batch):
    x, y = batch
    error = (model(x) - y).square()
    return {
        "translation": 1e6 * error[:, :3].mean(),  # in millimetres
        "rotation": error[:, 3:].mean(),
        "size": model(x).square().mean(),
    }
