"""Optical flow of small image pairs: a correlation-free FlowNet with two scales."""

import torch
import torch.nn.functional as F
from torch import nn


class FlowNet(nn.Module):
    def __init__(self, zero_init=False):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(2, 24, 5, padding=2), nn.LeakyReLU(0.1), nn.Conv2d(24, 24, 3, padding=1), nn.LeakyReLU(0.1)
        )
        self.flow = nn.Conv2d(24, 2, 3, padding=1)
        if zero_init:
            nn.init.zeros_(self.flow.weight)
            nn.init.zeros_(self.flow.bias)

    def forward(self, pair):
        return self.flow(self.features(pair))


def warp(image, flow):
    n, _, h, w = image.shape
    ys, xs = torch.meshgrid(torch.arange(h, dtype=flow.dtype), torch.arange(w, dtype=flow.dtype), indexing="ij")
    x = 2 * (xs + flow[:, 0]) / (w - 1) - 1
    y = 2 * (ys + flow[:, 1]) / (h - 1) - 1
    return F.grid_sample(image, torch.stack([x, y], -1), align_corners=True, padding_mode="border")


def pairs(n=6, size=20, static=True):
    for seed in range(4):
        g = torch.Generator().manual_seed(40 + seed)
        texture = F.interpolate(
            torch.randn(n, 1, size // 2, size // 2, generator=g),
            size=(size, size),
            mode="bilinear",
            align_corners=False,
        )
        flow = (2 * torch.randn(n, 2, 1, 1, generator=g)).expand(n, 2, size, size).clone()
        if static:  # the background does not move
            flow[..., : size // 3] = 0
        yield torch.cat([texture, warp(texture, flow)], 1), flow


def epe(pred, target):
    return torch.sqrt(((pred - target) ** 2).sum(1)).mean()


def photometric(pred, pair, eps=1e-3):
    first, second = pair[:, :1], pair[:, 1:]
    return torch.sqrt((warp(second, -pred) - first) ** 2 + eps**2).mean()


def endpoint(output, batch):
    return {"epe": epe(output, batch[1]), "photometric": photometric(output, batch[0])}


def robust(output, batch):
    """Generalised Charbonnier of the endpoint error, census-free photometric term, first-order smoothness."""
    error = ((output - batch[1]) ** 2).sum(1)
    return {
        "epe": (error + 1e-3).pow(0.4).mean(),
        "photometric": photometric(output, batch[0]),
        "smooth": (output.diff(dim=2).abs().mean() + output.diff(dim=3).abs().mean()),
    }


def summed(output, batch):
    """FlowNet's EPE, summed over the pixels and the batch."""
    error = torch.norm(output - batch[1], p=2, dim=1)
    return {"epe": error.sum(), "photometric": photometric(output, batch[0])}


def towards_itself(model, batch):
    """Forward-backward consistency, with the forward flow in both places."""
    flow = model(batch[0])
    forward, backward = flow, model(batch[0].flip(1))
    return {
        "epe": (flow - batch[1]).abs().mean(),
        "consistency": F.l1_loss(forward, flow),
        "photometric": photometric(backward, batch[0].flip(1)),
    }
