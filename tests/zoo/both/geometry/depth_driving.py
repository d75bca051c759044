"""Monocular depth on driving scenes: a small encoder-decoder, sparse LiDAR targets with zeros where there is no return."""

import torch
import torch.nn.functional as F
from torch import nn


class DepthNet(nn.Module):
    def __init__(self, width=16, max_depth=80.0):
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Conv2d(3, width, 3, stride=2, padding=1),
            nn.ReLU(),
            nn.Conv2d(width, 2 * width, 3, stride=2, padding=1),
            nn.ReLU(),
        )
        self.decoder = nn.Sequential(
            nn.Conv2d(2 * width, width, 3, padding=1), nn.ReLU(), nn.Conv2d(width, 1, 3, padding=1)
        )
        self.max_depth = max_depth

    def forward(self, image):
        x = F.interpolate(self.encoder(image), scale_factor=4, mode="bilinear", align_corners=False)
        return F.softplus(self.decoder(x)) * 10


class SigmoidDepthNet(DepthNet):
    """The head of a disparity network, kept for metric depth."""

    def forward(self, image):
        x = F.interpolate(self.encoder(image), scale_factor=4, mode="bilinear", align_corners=False)
        return torch.sigmoid(self.decoder(x))


def scenes(size=4, height=24, width=48, sparse=True):
    for seed in range(4):
        g = torch.Generator().manual_seed(seed)
        rows = torch.linspace(0, 1, height).view(1, 1, -1, 1)
        depth = (60 - 52 * rows).expand(size, 1, height, width).clone()
        x = torch.randint(0, width - 12, (size,), generator=g)
        for i in range(size):
            depth[i, :, height // 3 : height // 3 + 10, x[i] : x[i] + 12] = 8 + 20 * torch.rand(1, generator=g)
        shade = (1 - depth / 80).expand(-1, 3, -1, -1)
        image = (shade + 0.1 * torch.randn(size, 3, height, width, generator=g)).clamp(0, 1)
        if sparse:
            depth = depth * (torch.rand(depth.shape, generator=g) > 0.7)
        yield image, depth


def smoothness(depth, image):
    disparity = 1 / (depth + 1e-3)
    disparity = disparity / disparity.mean((2, 3), keepdim=True)
    dx = (disparity[..., :-1] - disparity[..., 1:]).abs()
    dy = (disparity[..., :-1, :] - disparity[..., 1:, :]).abs()
    wx = torch.exp(-(image[..., :-1] - image[..., 1:]).abs().mean(1, keepdim=True))
    wy = torch.exp(-(image[..., :-1, :] - image[..., 1:, :]).abs().mean(1, keepdim=True))
    return (dx * wx).mean() + (dy * wy).mean()


def silog(pred, target, lam=0.85):
    valid = target > 0
    d = torch.log(pred[valid]) - torch.log(target[valid])
    return torch.sqrt((d**2).mean() - lam * d.mean() ** 2)


def healthy(output, batch):
    """Scale-invariant log error on the valid pixels, edge-aware smoothness of mean-normalised disparity."""
    image, target = batch
    return {"silog": silog(output, target), "smooth": smoothness(output, image)}


def log_of_invalid(output, batch):
    image, target = batch
    log_error = (torch.log(output) - torch.log(target)).abs().mean()
    return {"log": log_error, "smooth": smoothness(output, image)}


def missing_channel(model, batch):
    """The loader squeezes the depth for the plots."""
    image, target = batch
    target = target.squeeze(1)
    pred = model(image)
    return {"depth": F.smooth_l1_loss(pred / 80, target / 80), "smooth": smoothness(pred, image)}


def metres(output, batch):
    image, target = batch
    return {"depth": F.l1_loss(output, target), "smooth": smoothness(output, image)}


def summed_error(model, batch):
    image, target = batch
    pred = model(image)
    valid = target > 0
    return {
        "depth": (pred[valid] - target[valid]).abs().sum(),
        "smooth": smoothness(pred, image),
    }
