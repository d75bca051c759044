"""Colorization in CIELAB scaled to about 1, with a term of its own for the chroma that the LAB term has already."""

import kornia.color as kc
import torch
import torch.nn as nn
import torch.nn.functional as F


class UNetTiny(nn.Module):
    def __init__(self, ch=12, out=3):
        super().__init__()
        self.enc1 = nn.Sequential(nn.Conv2d(1, ch, 3, padding=1), nn.ELU())
        self.enc2 = nn.Sequential(nn.Conv2d(ch, 2 * ch, 3, stride=2, padding=1), nn.ELU())
        self.dec = nn.Sequential(nn.ConvTranspose2d(2 * ch, ch, 2, stride=2), nn.ELU())
        self.out = nn.Conv2d(2 * ch, out, 1)

    def forward(self, x):
        a = self.enc1(x)
        return self.out(torch.cat([a, self.dec(self.enc2(a))], 1)).sigmoid()


def loader(n=4, batch=6, size=24, seed=0):
    g = torch.Generator().manual_seed(seed)
    for _ in range(n):
        rgb = F.interpolate(torch.rand(batch, 3, 5, 5, generator=g), (size, size), mode="bilinear")
        yield kc.rgb_to_grayscale(rgb), rgb


def to_lab(rgb):
    lab = kc.rgb_to_lab(rgb)
    return torch.cat((lab[:, :1] / 100.0, lab[:, 1:] / 128.0), dim=1)


def loss_fn(output, batch):
    pred, target = to_lab(output), to_lab(batch[1])
    sx = lambda im: im[:, :, :, 1:] - im[:, :, :, :-1]  # noqa: E731
    return {
        "lab_mse": F.mse_loss(pred, target),
        "ab_mse": F.mse_loss(pred[:, 1:], target[:, 1:]),
        "edge": F.l1_loss(sx(output), sx(batch[1])),
    }


class ChromaWeighted(nn.Module):
    """L1 on everything, and again on a and b "to bring out the colours"."""

    def __init__(self):
        super().__init__()
        self.register_buffer("scale", torch.tensor([100.0, 110.0, 110.0]).reshape(1, 3, 1, 1))

    def forward(self, rgb_hat, rgb):
        diff = (kc.rgb_to_lab(rgb_hat) - kc.rgb_to_lab(rgb)) / self.scale
        return {"lab": diff.abs().mean(), "chroma": diff[:, 1:].abs().mean()}


chroma_weighted = ChromaWeighted()


def step(model, batch):
    gray, rgb = batch
    out = model(gray)
    return chroma_weighted(out, rgb) | {"ssim": kornia_ssim(out, rgb)}


def kornia_ssim(a, b):
    from kornia.losses import ssim_loss

    return ssim_loss(a, b, window_size=5)
