"""Losses on HSV: the hue is an angle, and kornia's runs from 0 to 2π."""

import kornia
import torch
import torch.nn.functional as F
from torch import nn


class Colorizer(nn.Module):
    def __init__(self, width=16):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(1, width, 3, padding=1),
            nn.InstanceNorm2d(width),
            nn.LeakyReLU(0.2),
            nn.Conv2d(width, width, 3, padding=1),
            nn.LeakyReLU(0.2),
            nn.Conv2d(width, 3, 1),
        )

    def forward(self, x):
        return self.layers(x).sigmoid()


class Flowers(torch.utils.data.Dataset):
    def __init__(self, n=24, size=24, seed=0):
        g = torch.Generator().manual_seed(seed)
        self.rgb = F.interpolate(torch.rand(n, 3, 6, 6, generator=g), size=size, mode="bilinear")

    def __len__(self):
        return len(self.rgb)

    def __getitem__(self, i):
        return self.rgb[i].mean(0, keepdim=True), self.rgb[i]


def hue_loss(output, batch):
    h, s, v = kornia.color.rgb_to_hsv(output).unbind(1)
    ht, st, vt = kornia.color.rgb_to_hsv(batch[1]).unbind(1)
    return {"hue": F.l1_loss(h, ht), "saturation": F.l1_loss(s, st), "value": F.l1_loss(v, vt)}


def hsv_mse(model, batch):
    gray, rgb = batch
    out = model(gray)
    hsv, hsv_target = kornia.color.rgb_to_hsv(out), kornia.color.rgb_to_hsv(rgb)
    return {"rgb": F.mse_loss(out, rgb), "hsv": F.mse_loss(hsv, hsv_target)}


def hls_difference(output, batch):
    to_hls = kornia.color.RgbToHls()
    difference = to_hls(output) - to_hls(batch[1])
    return {"rgb": (output - batch[1]).abs().mean(), "hls": difference.abs().mean()}
