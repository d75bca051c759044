"""Prediction and target go to luma and chroma by two converters that do not agree on the offset."""

import kornia
import torch
import torch.nn as nn
import torch.nn.functional as F


class Deblur(nn.Module):
    def __init__(self, width=16):
        super().__init__()
        self.head = nn.Conv2d(3, width, 3, padding=1)
        self.res = nn.Sequential(
            nn.Conv2d(width, width, 3, padding=1), nn.ReLU(), nn.Conv2d(width, width, 3, padding=1)
        )
        self.tail = nn.Conv2d(width, 3, 3, padding=1)

    def forward(self, x):
        h = self.head(x)
        return torch.sigmoid(self.tail(F.relu(h + self.res(h))))


def batches(n=4, size=24, batch=6, seed=0):
    g = torch.Generator().manual_seed(seed)
    for _ in range(n):
        sharp = F.interpolate(torch.rand(batch, 3, 8, 8, generator=g), size=size, mode="bilinear")
        yield kornia.filters.gaussian_blur2d(sharp, (5, 5), (1.5, 1.5)), sharp


def ycbcr_studio(rgb):
    """BT.601 with the studio range 16–235, over 255."""
    m = rgb.new_tensor([[65.481, 128.553, 24.966], [-37.797, -74.203, 112.0], [112.0, -93.786, -18.214]]) / 255
    offset = rgb.new_tensor([16.0, 128.0, 128.0]).view(1, 3, 1, 1) / 255
    return torch.einsum("oi,nihw->nohw", m, rgb) + offset


def losses(output, batch):
    sharp = batch[1]
    return {
        "rgb": F.l1_loss(output, sharp),
        "ycbcr": F.l1_loss(kornia.color.rgb_to_ycbcr(output), ycbcr_studio(sharp)),
    }


def step(net, batch):
    blurred, sharp = batch
    out = net(blurred)
    chroma, chroma_target = kornia.color.rgb_to_yuv(out)[:, 1:], kornia.color.rgb_to_ycbcr(sharp)[:, 1:]
    return {"luma": F.mse_loss(out.mean(1), sharp.mean(1)), "chroma": F.mse_loss(chroma, chroma_target)}
