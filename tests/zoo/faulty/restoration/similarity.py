"""Similarities that are minimised: SSIM as a loss without the 1 −, after a rename, or with a sign too many."""

import kornia
import torch
import torch.nn.functional as F
from torch import nn


class Fusion(nn.Module):
    """Infrared and visible image fusion."""

    def __init__(self, width=16):
        super().__init__()
        self.ir = nn.Sequential(nn.Conv2d(1, width, 3, padding=1), nn.ReLU())
        self.vis = nn.Sequential(nn.Conv2d(1, width, 3, padding=1), nn.ReLU())
        self.merge = nn.Sequential(
            nn.Conv2d(2 * width, width, 3, padding=1), nn.ReLU(), nn.Conv2d(width, 1, 3, padding=1), nn.Sigmoid()
        )

    def forward(self, x):
        ir, vis = x.chunk(2, dim=1)
        return self.merge(torch.cat([self.ir(ir), self.vis(vis)], 1))


def batches(n=4, size=32, batch=4, seed=0):
    g = torch.Generator().manual_seed(seed)
    for _ in range(n):
        scene = F.interpolate(torch.rand(batch, 1, 8, 8, generator=g), size=size, mode="bilinear")
        heat = F.interpolate(torch.rand(batch, 1, 3, 3, generator=g), size=size, mode="bilinear")
        yield torch.cat([heat, scene], 1), 0.5 * heat + 0.5 * scene


def ssim_minimised(output, batch):
    fused = batch[1]
    return {"l2": F.mse_loss(output, fused), "ssim": kornia.metrics.ssim(output, fused, 7).mean()}


class SSIM(nn.Module):
    def __init__(self, size=9):
        super().__init__()
        self.pool = nn.AvgPool2d(size, 1)

    def forward(self, x, y, c1=0.01**2, c2=0.03**2):
        mx, my = self.pool(x), self.pool(y)
        sx, sy = self.pool(x * x) - mx * mx, self.pool(y * y) - my * my
        sxy = self.pool(x * y) - mx * my
        n = (2 * mx * my + c1) * (2 * sxy + c2)
        d = (mx * mx + my * my + c1) * (sx + sy + c2)
        return (n / d).mean()


ssim = SSIM()


def step(net, batch):
    inputs, fused = batch
    out = net(inputs)
    return {"pixel": (out - fused).abs().mean(), "structure": ssim(out, fused)}


def cosine_minimised(output, batch):
    """Colour constancy: the angle between vectors should be small, so its cosine should be large."""
    x, y = output.flatten(1), batch[1].flatten(1)
    return {"l1": F.l1_loss(output, batch[1]), "direction": F.cosine_similarity(x, y, dim=1).mean()}


def correlation(x, y):
    x, y = x - x.mean((2, 3), keepdim=True), y - y.mean((2, 3), keepdim=True)
    return (x * y).sum((2, 3)) / (x.norm(dim=(2, 3)) * y.norm(dim=(2, 3)) + 1e-6)


def correlation_step(net, batch):
    out = net(batch[0])
    return {"mse": F.mse_loss(out, batch[1]), "cc": correlation(out, batch[1]).mean()}


def psnr_minimised(output, batch):
    mse = (output - batch[1]).pow(2).mean((1, 2, 3))
    return {"grad": F.l1_loss(output.diff(dim=-1), batch[1].diff(dim=-1)), "psnr": (-10 * torch.log10(mse)).mean()}
