"""Headings and sizes of vehicles from point features, and their centres on a bird's-eye-view map."""

import math

import torch
import torch.nn.functional as F
from torch import nn


class BevHead(nn.Module):
    def __init__(self, channels=10):
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(2, channels, 3, padding=1), nn.ReLU(), nn.Conv2d(channels, channels, 3, padding=1), nn.ReLU()
        )
        self.center, self.heading, self.size = (nn.Conv2d(channels, c, 1) for c in (1, 1, 2))

    def forward(self, bev):
        h = self.stem(bev)
        return self.center(h), self.heading(h).squeeze(1), self.size(h)


def sweeps(n=4, cells=24, cars=3):
    for seed in range(3):
        g = torch.Generator().manual_seed(seed + 9)
        center, heading, size = (
            torch.zeros(n, 1, cells, cells),
            torch.zeros(n, cells, cells),
            torch.ones(n, 2, cells, cells),
        )
        for i in range(n):
            for y, x in torch.randint(1, cells - 1, (cars, 2), generator=g).tolist():
                center[i, 0, y, x] = 1.0
                heading[i, y, x] = (torch.rand((), generator=g) * 2 - 1) * math.pi
                size[i, :, y, x] = torch.tensor([4.5, 1.9]) + 0.3 * torch.randn(2, generator=g)
        points = torch.cat([F.max_pool2d(center, 3, 1, 1), heading[:, None] / math.pi], 1)
        yield points + 0.05 * torch.randn(points.shape, generator=g), (center, heading, size)


def masked_mean(x, mask):
    return (x * mask).sum() / mask.sum().clamp(min=1)


def heading_mse(model, batch):
    center, heading, size = model(batch[0])
    c, yaw, s = batch[1]
    return {
        "center": F.binary_cross_entropy_with_logits(center, c, pos_weight=torch.tensor(50.0)),
        "heading": masked_mean((heading - yaw) ** 2, c[:, 0]),
        "size": masked_mean((size - s).abs(), c),
    }


def heading_sine(model, batch):
    """SECOND's sine error of the heading."""
    center, heading, size = model(batch[0])
    c, yaw, s = batch[1]
    return {
        "center": F.binary_cross_entropy_with_logits(center, c, pos_weight=torch.tensor(50.0)),
        "heading": masked_mean(torch.sin(heading - yaw) ** 2, c[:, 0]),
        "size": masked_mean((size - s.log()).abs(), c),
    }


def sparse_map(model, batch):
    """Squared error of a map of which 99 % is empty, divided by every cell and every sample once more."""
    center, heading, size = model(batch[0])
    c, yaw, s = batch[1]
    empty = F.mse_loss(center, c) / center[0].numel()
    return {
        "center": empty,
        "heading": masked_mean(1 - torch.cos(heading - yaw), c[:, 0]),
        "size": masked_mean((size - s.log()).abs(), c),
    }


def rounded(model, batch):
    center, heading, size = model(batch[0])
    c, yaw, s = batch[1]
    return {
        "center": F.binary_cross_entropy_with_logits(center, c),
        "bins": F.l1_loss((heading / 0.5).round() * 0.5, yaw),
        "size": F.l1_loss(size, s),
    }
