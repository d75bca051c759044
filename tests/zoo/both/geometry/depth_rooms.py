"""Depth and normals of rooms, with a depth cue from another network, as in neural surface reconstruction."""

import torch
import torch.nn.functional as F
from torch import nn


def block(i, o):
    return nn.Sequential(nn.Conv2d(i, o, 3, padding=1), nn.GroupNorm(4, o), nn.SiLU())


class RoomNet(nn.Module):
    def __init__(self, width=12):
        super().__init__()
        self.trunk = nn.Sequential(block(3, width), block(width, width))
        self.depth = nn.Conv2d(width, 1, 1)
        self.rgb = nn.Conv2d(width, 3, 1)

    def forward(self, x):
        h = self.trunk(x)
        return {"depth": self.depth(h).exp(), "rgb": torch.sigmoid(self.rgb(h))}


class BoundedRoomNet(RoomNet):
    def forward(self, x):
        h = self.trunk(x)
        return {"depth": self.depth(h).sigmoid(), "rgb": self.rgb(h).sigmoid()}


class Rooms(torch.utils.data.Dataset):
    def __init__(self, count=24, size=20, scale=1.0, holes=False):
        self.items = []
        g = torch.Generator().manual_seed(count)
        v, u = torch.meshgrid(torch.linspace(-1, 1, size), torch.linspace(-1, 1, size), indexing="ij")
        for _ in range(count):
            far, tilt = 2 + 3 * torch.rand(2, generator=g)
            depth = (far - torch.maximum(u.abs(), v.abs()) * tilt / 3)[None] * scale
            rgb = torch.stack([depth[0] / (6 * scale), (u + 1) / 2, (v + 1) / 2])
            rgb = (rgb + 0.05 * torch.randn(rgb.shape, generator=g)).clamp(0, 1)
            if holes:
                depth = torch.where(torch.rand(depth.shape, generator=g) < 0.05, torch.zeros(()), depth)
            self.items.append({"input": rgb, "depth": depth})

    def __len__(self):
        return len(self.items)

    def __getitem__(self, index):
        return self.items[index]


def gradient_l1(a, b):
    return sum(F.l1_loss(a.diff(dim=d), b.diff(dim=d)) for d in (2, 3))


def masked_gradient_l1(a, b, mask):
    """Differences between two pixels that were both measured."""
    terms = []
    for d in (2, 3):
        both = mask.narrow(d, 1, mask.shape[d] - 1) * mask.narrow(d, 0, mask.shape[d] - 1)
        terms.append(((a.diff(dim=d) - b.diff(dim=d)).abs() * both).sum() / both.sum().clamp(min=1))
    return sum(terms)


def ok(out, batch):
    """Masked log-depth, depth gradients and a photometric term."""
    mask = (batch["depth"] > 0).float()
    log_error = (out["depth"].log() - batch["depth"].clamp(min=1e-3).log()).abs()
    return {
        "log_depth": (log_error * mask).sum() / mask.sum().clamp(min=1),
        "edges": masked_gradient_l1(out["depth"], batch["depth"], mask),
        "rgb": F.l1_loss(out["rgb"], batch["input"]),
    }


def edges_of_holes(out, batch):
    """The depth gradients know nothing of the holes."""
    return ok(out, batch) | {"edges": gradient_l1(out["depth"], batch["depth"])}


class LogL1(nn.Module):
    def forward(self, pred, target):
        return F.l1_loss(pred.log(), target.log())


log_l1 = LogL1()


def holes(out, batch):
    return {"log_depth": log_l1(out["depth"], batch["depth"]), "rgb": F.mse_loss(out["rgb"], batch["input"])}


def cue_in_tiny_units(model, batch):
    """The cue is in the units of the other network, 0.01 to 0.04."""
    out = model(batch["input"])
    cue = batch["depth"]
    return {
        "rgb": F.l1_loss(out["rgb"], batch["input"]),
        "edges": gradient_l1(out["rgb"], batch["input"]),
        "cue": ((out["depth"] * 0.01 - cue) ** 2).mean(),
    }


def squeezed(model, batch):
    out = model(batch["input"])
    pred = out["depth"][:, 0]
    return {"depth": (pred - batch["depth"]).abs().mean(), "rgb": F.l1_loss(out["rgb"], batch["input"])}


def bounded(out, batch):
    return {"depth": F.smooth_l1_loss(out["depth"], batch["depth"]), "rgb": F.l1_loss(out["rgb"], batch["input"])}


def berhu_sum(out, batch):
    error = (out["depth"] - batch["depth"]).abs()
    c = 0.2 * error.max().detach()
    berhu = torch.where(error <= c, error, (error**2 + c**2) / (2 * c))
    return {"berhu": berhu.sum(), "rgb": F.l1_loss(out["rgb"], batch["input"])}
