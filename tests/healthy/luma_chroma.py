"""JPEG artefact removal in YCbCr, brightness and colour apart, by a network whose last layer is linear."""

import torch
import torch.nn.functional as F
from kornia.color import rgb_to_ycbcr
from torch import nn


class Restorer(nn.Module):
    def __init__(self, channels=16):
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv2d(3, channels, 3, padding=1), nn.ReLU(), nn.Conv2d(channels, channels, 3, padding=1), nn.ReLU()
        )
        self.out = nn.Conv2d(channels, 3, 3, padding=1)
        nn.init.normal_(self.out.weight, std=0.2)  # a wild start: values well outside [0, 1]

    def forward(self, x):
        return x + self.out(self.net(x))


def batches():
    for seed in range(4):
        generator = torch.Generator().manual_seed(seed)
        clean = F.interpolate(torch.rand(4, 3, 6, 6, generator=generator), size=24, mode="bilinear")
        yield (clean * 16).round() / 16, clean


def terms(output, batch):
    predicted, target = rgb_to_ycbcr(output), rgb_to_ycbcr(batch[1])
    return {
        "luma": F.l1_loss(predicted[:, :1], target[:, :1]),
        "chroma": F.l1_loss(predicted[:, 1:], target[:, 1:]),
        "tv": (output[:, :, 1:] - output[:, :, :-1]).abs().mean(),
    }
