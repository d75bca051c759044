"""Key points of animals: coordinates and whether they can be seen; those that cannot are (0, 0), as in COCO."""

import torch
import torch.nn.functional as F
from torch import nn


class Pose(nn.Module):
    def __init__(self, points=9, width=16):
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv2d(1, width, 3, 2, 1),
            nn.ReLU(),
            nn.Conv2d(width, width, 3, 2, 1),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(4),
        )
        self.xy, self.seen = nn.Linear(16 * width, 2 * points), nn.Linear(16 * width, points)

    def forward(self, image):
        h = self.net(image).flatten(1)
        return self.xy(h).view(len(h), -1, 2), self.seen(h)


class Animals(torch.utils.data.Dataset):
    def __init__(self, n=24, points=9, size=32, seed=0, hidden=0.3):
        g = torch.Generator().manual_seed(seed)
        self.image = torch.rand(n, 1, size, size, generator=g)
        self.visible = (torch.rand(n, points, generator=g) >= hidden).float()
        at = 0.1 + 0.8 * torch.rand(n, points, 2, generator=g)
        for i in range(n):
            for x, y in (at[i] * size).long().tolist():
                self.image[i, 0, y, x] += 2
        self.xy = at * self.visible[..., None]

    def __len__(self):
        return len(self.xy)

    def __getitem__(self, i):
        return {"input": self.image[i], "keypoints": self.xy[i], "visibility": self.visible[i]}


def drawn_to_the_corner(output, batch):
    xy, seen = output
    return {
        "xy": F.smooth_l1_loss(xy, batch["keypoints"]),
        "seen": F.binary_cross_entropy_with_logits(seen, batch["visibility"]),
    }


def over_all_points(model, batch):
    xy, seen = model(batch["input"])
    distance = torch.linalg.vector_norm(xy - batch["keypoints"] + 1e-6, dim=-1)
    return {
        "xy": (batch["visibility"] * distance).mean(),
        "seen": F.binary_cross_entropy_with_logits(seen, batch["visibility"]),
    }


def seen_only(output, batch):
    xy, seen = output
    error = (xy - batch["keypoints"]).abs().sum(-1) * batch["visibility"]
    return {
        "xy": error.sum() / batch["visibility"].sum(),
        "seen": F.binary_cross_entropy_with_logits(seen, batch["visibility"]),
    }


def oks(model, batch, sigma=0.1):
    """Object key point similarity over the visible points of each animal."""
    xy, seen = model(batch["input"])
    visible = batch["visibility"]
    similarity = torch.exp(-(xy - batch["keypoints"]).pow(2).sum(-1) / (2 * sigma**2 * 8))
    per_animal = (similarity * visible).sum(1) / visible.sum(1).clamp(min=1)
    return {"oks": (1 - per_animal).mean(), "seen": F.binary_cross_entropy_with_logits(seen, visible)}
