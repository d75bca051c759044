"""Colour losses that are unusual and right: raw units with a weight that fits, a circular hue, ΔE over 100, tanh · 110."""

import kornia
import torch
import torch.nn.functional as F
from torch import nn


class Net(nn.Module):
    def __init__(self, width=16, out=3, signed=False):
        super().__init__()
        self.a = nn.Sequential(nn.Conv2d(1, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU())
        self.b = nn.Sequential(nn.Conv2d(width, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU())
        self.c = nn.Conv2d(width, out, 3, padding=1)
        self.signed = signed

    def forward(self, x):
        h = self.a(x)
        y = self.c(h + self.b(h))
        return torch.tanh(y) * 110 if self.signed else torch.sigmoid(y)


class Photos(torch.utils.data.Dataset):
    def __init__(self, n=32, size=24, seed=0, lab=False):
        g = torch.Generator().manual_seed(seed)
        self.rgb = F.interpolate(torch.rand(n, 3, 6, 6, generator=g), size=size, mode="bicubic").clamp(0, 1)
        self.lab = kornia.color.rgb_to_lab(self.rgb) if lab else None

    def __len__(self):
        return len(self.rgb)

    def __getitem__(self, i):
        if self.lab is not None:
            return self.lab[i, :1] / 100, self.lab[i, 1:]
        return kornia.color.rgb_to_grayscale(self.rgb[i]), self.rgb[i]


def balanced_lab(output, batch):
    """Raw CIELAB at 1e-4: its gradient is of the size of the others'."""
    rgb = batch[1]
    return {
        "rgb": F.mse_loss(output, rgb),
        "lab": F.mse_loss(kornia.color.rgb_to_lab(output), kornia.color.rgb_to_lab(rgb)),
        "ssim": kornia.losses.ssim_loss(output, rgb, 5),
    }


def balanced_ab(model, batch):
    """DDColor's way: L1 on raw ab, weight 0.1, no second term that it could drown."""
    lightness, ab = batch
    out = model(lightness)
    chroma = lambda t: (t.pow(2).sum(1) + 1e-3).sqrt()  # noqa: E731
    return {"pixel": F.l1_loss(out, ab), "colorfulness": (chroma(out).mean() - chroma(ab).mean()).abs()}


def circular_hue(output, batch):
    h, s, v = kornia.color.rgb_to_hsv(output).unbind(1)
    h_t, s_t, v_t = kornia.color.rgb_to_hsv(batch[1]).unbind(1)
    return {
        "hue": (s_t.detach() * (1 - torch.cos(h - h_t))).mean(),
        "saturation": F.l1_loss(s, s_t),
        "value": F.l1_loss(v, v_t),
    }


def hue_as_a_vector(model, batch):
    gray, rgb = batch
    out = model(gray)

    def cone(x):
        h, s, v = kornia.color.rgb_to_hsv(x).unbind(1)
        return torch.stack([s * v * torch.cos(h), s * v * torch.sin(h), v], 1)

    return {"cone": F.mse_loss(cone(out), cone(rgb)), "rgb": F.l1_loss(out, rgb)}


def delta_e(output, batch):
    rgb = batch[1]
    d = kornia.color.rgb_to_lab(output) - kornia.color.rgb_to_lab(rgb)
    return {"delta_e": (d.pow(2).sum(1) + 1e-4).sqrt().mean() / 100, "l1": F.l1_loss(output, rgb)}


class ScaledAfterwards(nn.Module):
    """Takes the difference first and divides by the range then."""

    def __init__(self):
        super().__init__()
        self.register_buffer("range", torch.tensor([100.0, 128.0, 128.0]).view(1, 3, 1, 1))

    def forward(self, output, rgb):
        difference = (kornia.color.rgb_to_lab(output) - kornia.color.rgb_to_lab(rgb)) / self.range
        return difference[:, :1].abs().mean(), difference[:, 1:].abs().mean()


scaled_afterwards = ScaledAfterwards()


def luma_chroma(model, batch):
    gray, rgb = batch
    out = model(gray)
    light, chroma = scaled_afterwards(out, rgb)
    return {"L": light, "ab": chroma, "edges": F.l1_loss(out.diff(dim=-1), rgb.diff(dim=-1))}


def ycbcr(output, batch):
    y, cbcr = kornia.color.rgb_to_ycbcr(output).split([1, 2], 1)
    y_t, cbcr_t = kornia.color.rgb_to_ycbcr(batch[1]).split([1, 2], 1)
    return {"luma": 1 - kornia.metrics.ssim(y, y_t, 7).mean(), "chroma": F.smooth_l1_loss(cbcr, cbcr_t, beta=0.1)}
