"""Maps with holes: LiDAR depth, and elevation from stereo. Where nothing was measured the target is 0."""

import torch
import torch.nn.functional as F
from torch import nn


class MapNet(nn.Module):
    def __init__(self, channels=3, width=12, offset=10.0, confidence=False):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(channels, width, 3, padding=1), nn.GELU(), nn.Conv2d(width, width, 3, padding=1), nn.GELU()
        )
        self.depth = nn.Conv2d(width, 1, 1)
        self.confidence = nn.Conv2d(width, 1, 1) if confidence else None
        self.offset = offset

    def forward(self, x):
        h = self.body(x)
        out = {"depth": self.depth(h) + self.offset}
        return out | ({"confidence": self.confidence(h)} if self.confidence else {})


class Maps(torch.utils.data.Dataset):
    """(image, {depth, valid}), or (image, depth) where the zeros have to tell."""

    def __init__(self, n=16, size=20, holes=0.2, seed=0, masks=True, near=5.0, far=15.0):
        g = torch.Generator().manual_seed(seed)
        slope = torch.rand(n, 1, 1, 1, generator=g)
        rows = torch.linspace(0, 1, size).view(1, 1, -1, 1).expand(n, 1, size, size)
        depth = near + (far - near) * (slope * rows + (1 - slope) * rows.transpose(2, 3))
        self.image = torch.cat([depth / far, 1 - depth / far, slope.expand_as(depth)], 1)
        self.image = self.image + 0.05 * torch.randn(self.image.shape, generator=g)
        self.valid = torch.rand(depth.shape, generator=g) >= holes
        self.depth, self.masks = depth * self.valid, masks

    def __len__(self):
        return len(self.depth)

    def __getitem__(self, i):
        target = {"depth": self.depth[i], "valid": self.valid[i]}
        return self.image[i], target if self.masks else self.depth[i]


def edges(depth):
    return depth.diff(dim=-1).abs().mean() + depth.diff(dim=-2).abs().mean()


def all_pixels(output, batch):
    """The mask lies in the batch, unused."""
    return {
        "depth": F.l1_loss(output["depth"], batch[1]["depth"]),
        "smooth": edges(output["depth"]),
    }


def zeros_are_learnt(model, batch):
    out = model(batch[0])
    return {"depth": F.huber_loss(out["depth"], batch[1]), "smooth": edges(out["depth"])}


def divided_by_all(output, batch):
    valid = batch[1]["valid"].float()
    error = (output["depth"] * valid - batch[1]["depth"]).pow(2)
    return {"depth": error.mean(), "smooth": edges(output["depth"])}


def berhu_over_all(model, batch):
    out, target = model(batch[0]), batch[1]
    error = (out["depth"] - target).abs()
    error = torch.where(target > 0, error, torch.zeros_like(error))
    return {"depth": error.mean(), "smooth": edges(out["depth"])}


def selected(output, batch):
    valid = batch[1]["valid"]
    return {
        "depth": F.l1_loss(output["depth"][valid], batch[1]["depth"][valid]),
        "confidence": F.binary_cross_entropy_with_logits(output["confidence"], valid.float()),
        "smooth": edges(output["depth"]),
    }


def weighed(model, batch):
    out, target = model(batch[0]), batch[1]
    valid = (target > 0).float()
    error = F.smooth_l1_loss(out["depth"], target, reduction="none")
    return {"depth": (error * valid).sum() / valid.sum().clamp(min=1), "smooth": edges(out["depth"])}
