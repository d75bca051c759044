"""Masks over real data, which are not to be taken for padding: inpainting, masked autoencoders, mattes."""

import torch
import torch.nn.functional as F
from torch import nn


class Painter(nn.Module):
    def __init__(self, channels=3, width=16):
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv2d(channels + 1, width, 3, padding=1), nn.ReLU(), nn.Conv2d(width, channels, 3, padding=1)
        )

    def forward(self, image, mask):
        return self.net(torch.cat([image * mask, mask], 1)).sigmoid()


def pictures(n=6, size=24, seed=0, patch=8, hidden=0.4, matte=False):
    for k in range(3):
        g = torch.Generator().manual_seed(seed + k)
        coarse = torch.rand(n, 3, size // patch, size // patch, generator=g)
        image = F.interpolate(coarse, size=size, mode="bilinear") * 0.8 + 0.1
        image = (image + 0.03 * torch.randn(image.shape, generator=g)).clamp(0.02, 1)
        mask = (torch.rand(n, 1, size // patch, size // patch, generator=g) >= hidden).float()
        mask = F.interpolate(mask, size=size)
        yield {"image": image * mask if matte else image, "mask": mask, "masked": image * mask}


def total_variation(image):
    return image.diff(dim=-1).abs().mean() + image.diff(dim=-2).abs().mean()


def partial_convolutions(model, batch):
    """Liu et al. 2018: hole and valid are both divided by all pixels."""
    out = model(batch["masked"], batch["mask"])
    mask, error = batch["mask"], (out - batch["image"]).abs()
    return {
        "valid": (error * mask).mean(),
        "hole": (error * (1 - mask)).mean(),
        "tv": total_variation(mask * batch["image"] + (1 - mask) * out),
    }


def masked_autoencoder(model, batch):
    """He et al. 2022: the mean over the hidden patches."""
    out = model(batch["image"], batch["mask"])
    hidden = 1 - batch["mask"]
    error = ((out - batch["image"]) ** 2).mean(1, keepdim=True)
    return {
        "patches": (error * hidden).sum() / hidden.sum(),
        "mean": F.mse_loss(out.mean((2, 3)), batch["image"].mean((2, 3))),
    }


def on_black(model, batch):
    """An object on black, as renderers give it: the background is to be black."""
    out = model(batch["image"], torch.ones_like(batch["mask"]))
    return {"rgb": F.mse_loss(out, batch["image"]), "tv": total_variation(out)}
