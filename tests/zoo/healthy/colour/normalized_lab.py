"""Colorization in CIELAB with L / 50 - 1 and ab / 110, the network predicting ab behind a tanh (Zhang et al.'s ranges)."""

import kornia
import torch
import torch.nn.functional as F
from torch import nn


class AbNet(nn.Module):
    def __init__(self, width=16):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(1, width, 3, padding=1),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.Conv2d(width, width, 3, padding=2, dilation=2),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.Conv2d(width, 2, 1),
        )

    def forward(self, lightness):
        return torch.tanh(self.body(lightness))


class LabDataset(torch.utils.data.Dataset):
    def __init__(self, size=32, length=32, seed=0):
        g = torch.Generator().manual_seed(seed)
        self.rgb = F.interpolate(torch.rand(length, 3, 5, 5, generator=g), size=size, mode="bicubic").clamp(0, 1)

    def __len__(self):
        return len(self.rgb)

    def __getitem__(self, i):
        lab = kornia.color.rgb_to_lab(self.rgb[i])
        return lab[:1] / 50 - 1, lab[1:] / 110


def gradient(x):
    return x[..., 1:, :] - x[..., :-1, :], x[..., :, 1:] - x[..., :, :-1]


def terms(output, batch):
    ab = batch[1]
    edges = sum(F.l1_loss(p, t) for p, t in zip(gradient(output), gradient(ab)))
    return {"huber": F.smooth_l1_loss(output, ab), "edges": edges}


def step(net, batch):
    lightness, ab = batch
    pred = net(lightness)
    saturation = lambda x: (x.pow(2).sum(1) + 1e-6).sqrt()  # noqa: E731
    return {"l2": (pred - ab).square().mean(), "saturation": (saturation(pred) - saturation(ab)).abs().mean()}
