"""Colorization with the built-in terms alone: what is wrong with the loss stands in the config."""

import kornia
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Colorizer(nn.Module):
    def __init__(self, width=12):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(1, width, 5, padding=2),
            nn.GroupNorm(2, width),
            nn.SiLU(),
            nn.Conv2d(width, width, 3, padding=1),
            nn.SiLU(),
        )
        self.color = nn.Conv2d(width, 3, 1)

    def forward(self, grey):
        return torch.sigmoid(self.color(self.body(grey)))


def photos(size=24, count=64, batch_size=8, seed=0):
    """Soft fields of colour with a shadow, shuffled."""
    g = torch.Generator().manual_seed(seed)
    coarse = 0.1 + 0.8 * torch.rand(count, 3, 4, 4, generator=g)
    rgb = F.interpolate(coarse, size=size, mode="bilinear", align_corners=False)
    rgb[:, :, size // 2 :, : size // 3] *= 0.5
    images = TensorDataset(kornia.color.rgb_to_grayscale(rgb), rgb)
    return DataLoader(images, batch_size=batch_size)
