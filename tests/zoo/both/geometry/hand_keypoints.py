"""Keypoints of hands: heatmaps by a small hourglass, and the yaw of the palm."""

import math

import torch
import torch.nn.functional as F
from torch import nn


class Hourglass(nn.Module):
    def __init__(self, keypoints=7, width=16):
        super().__init__()
        self.down = nn.Sequential(nn.Conv2d(1, width, 3, stride=2, padding=1), nn.BatchNorm2d(width), nn.ReLU())
        self.mid = nn.Sequential(nn.Conv2d(width, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU())
        self.heatmaps = nn.Conv2d(width, keypoints, 1)
        self.yaw = nn.Linear(width, 1)

    def forward(self, x):
        h = self.mid(self.down(x))
        return {"heatmaps": self.heatmaps(F.interpolate(h, scale_factor=2.0)), "yaw": self.yaw(h.mean((2, 3)))}


def hands(n=6, size=32, keypoints=7, sigma=1.0):
    axis = torch.arange(size, dtype=torch.float32)
    for seed in range(4):
        g = torch.Generator().manual_seed(seed)
        at = torch.rand(n, keypoints, 2, generator=g) * (size - 4) + 2
        gauss = torch.exp(-((axis - at[..., :1]) ** 2) / (2 * sigma**2))
        gauss_y = torch.exp(-((axis - at[..., 1:]) ** 2) / (2 * sigma**2))
        heatmaps = gauss_y[..., :, None] * gauss[..., None, :]
        yaw = torch.atan2(at[:, 1, 1] - at[:, 0, 1], at[:, 1, 0] - at[:, 0, 0])
        image = heatmaps.amax(1, keepdim=True) + 0.1 * torch.randn(n, 1, size, size, generator=g)
        yield {"input": image, "heatmaps": heatmaps, "at": at, "yaw": yaw[:, None] % (2 * math.pi)}


def mostly_background(output, batch):
    return {
        "heatmaps": F.mse_loss(output["heatmaps"], batch["heatmaps"]) / output["heatmaps"][0, 0].numel(),
        "cosine": F.mse_loss(torch.cos(output["yaw"]), torch.cos(batch["yaw"])),
        "sine": F.mse_loss(torch.sin(output["yaw"]), torch.sin(batch["yaw"])),
    }


def angle_as_number(output, batch):
    return {
        "heatmaps": F.mse_loss(output["heatmaps"], batch["heatmaps"]),
        "yaw": F.l1_loss(output["yaw"], batch["yaw"]),
    }


def soft_argmax(heatmaps, beta=10.0):
    n, k, h, w = heatmaps.shape
    p = (beta * heatmaps).flatten(2).softmax(-1).view(n, k, h, w)
    xs, ys = torch.arange(w, dtype=p.dtype), torch.arange(h, dtype=p.dtype)
    return torch.stack([(p.sum(2) * xs).sum(-1), (p.sum(3) * ys).sum(-1)], -1)


def wrapped(output, batch):
    """Focused heatmap loss, soft-argmax coordinates as a fraction of the image, and a circular yaw."""
    weight = 1 + 20 * batch["heatmaps"]
    size = batch["input"].shape[-1]
    return {
        "heatmaps": 10 * (weight * (output["heatmaps"] - batch["heatmaps"]) ** 2).mean(),
        "coordinates": F.l1_loss(soft_argmax(output["heatmaps"]) / size, batch["at"] / size),
        "yaw": (1 - torch.cos(output["yaw"] - batch["yaw"])).mean(),
    }


def hard_argmax(output, batch):
    flat = output["heatmaps"].flatten(2).argmax(-1)
    size = batch["input"].shape[-1]
    at = torch.stack([flat % size, flat // size], -1).float()
    return {
        "heatmaps": F.mse_loss(output["heatmaps"], batch["heatmaps"]),
        "coordinates": F.l1_loss(at / size, batch["at"] / size),
    }
