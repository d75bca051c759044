"""Keypoint heatmaps with an offset head, the visible keypoints only."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn


@dataclass
class Prediction:
    heatmaps: Tensor
    offsets: Tensor


class PoseNet(nn.Module):
    def __init__(self, joints=5):
        super().__init__()
        self.backbone = nn.Sequential(
            nn.Conv2d(3, 16, 3, 2, 1), nn.BatchNorm2d(16), nn.ReLU(), nn.Conv2d(16, 32, 3, padding=1), nn.ReLU()
        )
        self.heatmap = nn.Conv2d(32, joints, 1)
        self.offset = nn.Conv2d(32, 2 * joints, 1)

    def forward(self, image):
        features = self.backbone(image)
        return Prediction(self.heatmap(features), self.offset(features))


def gaussians(centres, size, sigma=2.0):
    y = torch.arange(size).view(1, 1, size, 1)
    x = torch.arange(size).view(1, 1, 1, size)
    cx, cy = centres[..., 0, None, None], centres[..., 1, None, None]
    return torch.exp(-((x - cx) ** 2 + (y - cy) ** 2) / (2 * sigma**2))


def batches(joints=5):
    for seed in range(4):
        generator = torch.Generator().manual_seed(seed)
        centres = torch.rand(4, joints, 2, generator=generator) * 14 + 1
        heatmaps = gaussians(centres, 16)
        image = F.interpolate(heatmaps[:, :3], size=32) + 0.1 * torch.randn(4, 3, 32, 32, generator=generator)
        visible = (torch.rand(4, joints, generator=generator) > 0.2).float()
        yield {"input": image, "heatmaps": heatmaps, "centres": centres, "visible": visible}


def losses(output, batch):
    visible = batch["visible"]
    per_joint = F.mse_loss(output.heatmaps, batch["heatmaps"], reduction="none").mean(dim=(2, 3))
    cell = batch["centres"].round().long().clamp(0, 15)
    index = cell[..., 1] * 16 + cell[..., 0]  # (N, J)
    offsets = output.offsets.flatten(2).unflatten(1, (-1, 2))  # (N, J, 2, HW)
    at_centre = offsets.gather(3, index[:, :, None, None].expand(-1, -1, 2, 1)).squeeze(3)
    offset = F.smooth_l1_loss(at_centre, batch["centres"] - cell, reduction="none").sum(2)
    return {
        "heatmap": (per_joint * visible).sum() / visible.sum(),
        "offset": (offset * visible).sum() / visible.sum(),
    }
