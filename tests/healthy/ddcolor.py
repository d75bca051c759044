"""Colorization on raw ab channels: an L1 in their own units whose weight of 0.1 makes up for them (DDColor)."""

import kornia.color
import torch
import torch.nn.functional as F
from torch import nn


class Colorizer(nn.Module):
    """Predicts ab, ±110, from L."""

    def __init__(self, channels=16):
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv2d(1, channels, 3, padding=1), nn.ReLU(), nn.Conv2d(channels, channels, 3, padding=1), nn.ReLU()
        )
        self.ab = nn.Conv2d(channels, 2, 1)

    def forward(self, lightness):
        return 110 * torch.tanh(self.ab(self.net(lightness / 100)))


torch.manual_seed(3)
conv = nn.Conv2d(3, 32, 3, stride=2).requires_grad_(False)


def batches():
    for seed in range(4):
        generator = torch.Generator().manual_seed(seed)
        rgb = F.interpolate(torch.rand(4, 3, 6, 6, generator=generator), size=24, mode="bilinear")
        lab = kornia.color.rgb_to_lab(rgb)
        yield lab[:, :1], lab[:, 1:], rgb


def losses(model, batch):
    lightness, ab, rgb = batch
    predicted = model(lightness)
    image = kornia.color.lab_to_rgb(torch.cat([lightness, predicted], dim=1), clip=False)
    return {
        "pixel": F.l1_loss(predicted, ab),
        "perceptual": F.l1_loss(conv(image), conv(rgb)),
        "colorfulness": 1 - image.flatten(2).std(2).mean(),
    }
