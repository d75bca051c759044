"""Monocular depth in metres, as a disparity: smooth L1 on depth, and edge-aware smoothness (Godard et al. 2017)."""

import torch
import torch.nn.functional as F
from torch import nn


class DepthNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv2d(3, 16, 3, padding=1),
            nn.ELU(),
            nn.Conv2d(16, 16, 3, padding=1),
            nn.ELU(),
            nn.Conv2d(16, 1, 3, padding=1),
        )

    def forward(self, image):
        disparity = torch.sigmoid(self.net(image))
        depth = 1 / (1 / 150.0 + (1 / 2.0 - 1 / 150.0) * disparity)
        return {"disparity": disparity, "depth": depth}


def batches():
    ramp = torch.linspace(0, 1, 24).view(1, 1, 24, 1)
    for seed in range(4):
        generator = torch.Generator().manual_seed(seed)
        scene = F.interpolate(torch.rand(4, 1, 3, 3, generator=generator), size=24, mode="bilinear")
        depth = 3 + 140 * (0.7 * ramp + 0.3 * scene)  # up to 143 m, outdoors
        image = torch.cat([scene, ramp.expand_as(scene), 1 / depth * 3], dim=1)
        yield image, depth


def smoothness(disparity, image):
    disparity = disparity / (disparity.mean((2, 3), keepdim=True) + 1e-7)
    dx = (disparity[..., :, :-1] - disparity[..., :, 1:]).abs()
    dy = (disparity[..., :-1, :] - disparity[..., 1:, :]).abs()
    ix = (image[..., :, :-1] - image[..., :, 1:]).abs().mean(1, keepdim=True)
    iy = (image[..., :-1, :] - image[..., 1:, :]).abs().mean(1, keepdim=True)
    return (dx * torch.exp(-ix)).mean() + (dy * torch.exp(-iy)).mean()


def losses(output, batch):
    image, depth = batch
    return {
        "depth": F.smooth_l1_loss(output["depth"], depth),
        "smoothness": smoothness(output["disparity"], image),
    }
