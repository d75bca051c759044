"""A small U-Net for images, the built-in model `unet`."""

from __future__ import annotations

import math
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class DoubleConv(nn.Sequential):
    """Two 3×3 convolutions, each followed by group normalisation and a ReLU; height and width stay."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__(
            nn.Conv2d(in_channels, out_channels, kernel_size=3, padding=1, bias=False),
            nn.GroupNorm(math.gcd(8, out_channels), out_channels),
            nn.ReLU(),
            nn.Conv2d(out_channels, out_channels, kernel_size=3, padding=1, bias=False),
            nn.GroupNorm(math.gcd(8, out_channels), out_channels),
            nn.ReLU(),
        )


class Up(nn.Module):
    """Doubles height and width, then merges the encoder's features of that size."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.upsample = nn.ConvTranspose2d(in_channels, out_channels, kernel_size=2, stride=2)
        self.merge = DoubleConv(2 * out_channels, out_channels)

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        """Map `x` (N, in, H, W) and `skip` (N, out, 2H, 2W) to (N, out, 2H, 2W)."""
        merged: Tensor = self.merge(torch.cat((skip, self.upsample(x)), dim=1))
        return merged


class UNet(nn.Module):
    """Colours or restores images: (N, in_channels, H, W) to (N, out_channels, H, W), both in [0, 1].

    The encoder halves the image `depth` times and doubles the channels, the decoder undoes both and sees the
    encoder's features of each size (Ronneberger et al. 2015, arXiv:1505.04597). What comes out is a correction
    of the input, so `in_channels` is 1, or the same as `out_channels`. Any height and width will do: images are
    padded to a multiple of 2**depth by repeating their border, and the output is cropped again. The defaults
    have 0.48 million parameters.
    """

    def __init__(self, in_channels: int = 1, out_channels: int = 3, base_channels: int = 16, depth: int = 3) -> None:
        super().__init__()
        if min(in_channels, out_channels, base_channels, depth) < 1:
            msg = (
                "UNet: expected in_channels, out_channels, base_channels and depth of at least 1, found "
                f"{in_channels}, {out_channels}, {base_channels} and {depth}"
            )
            raise ValueError(msg)
        if in_channels not in (1, out_channels):
            msg = (
                f"UNet: expected in_channels of 1 or, as out_channels, {out_channels}; found {in_channels}. "
                "It corrects its input, so each output channel needs an input channel."
            )
            raise ValueError(msg)
        widths = [base_channels * 2**level for level in range(depth + 1)]
        self.encoder = nn.ModuleList(DoubleConv(*pair) for pair in pairwise((in_channels, *widths[:-1])))
        self.bottleneck = DoubleConv(*widths[-2:])
        self.decoder = nn.ModuleList(Up(*pair) for pair in pairwise(reversed(widths)))
        self.head = nn.Conv2d(base_channels, out_channels, kernel_size=1)

    def forward(self, images: Tensor) -> Tensor:
        """Map (N, in_channels, H, W) to (N, out_channels, H, W) in [0, 1]."""
        # Without a correction the output is the input, whose brightness the normalisations have taken away. The eps
        # keeps the sigmoid off its flat ends.
        return torch.sigmoid(torch.logit(images, eps=1e-2) + self.correction(images))

    def correction(self, images: Tensor) -> Tensor:
        """Map (N, in_channels, H, W) to logits (N, out_channels, H, W)."""
        height, width = images.shape[-2:]
        x = pad_to_multiple(images, 2 ** len(self.encoder))
        skips = []
        for block in self.encoder:
            x = block(x)
            skips.append(x)
            x = F.max_pool2d(x, kernel_size=2)
        x = self.bottleneck(x)
        for block, skip in zip(self.decoder, reversed(skips), strict=True):
            x = block(x, skip)
        logits: Tensor = self.head(x)
        return logits[..., :height, :width]


def pad_to_multiple(images: Tensor, multiple: int) -> Tensor:
    """Repeat the right and bottom border of (N, C, H, W) until H and W are multiples of `multiple`."""
    height, width = images.shape[-2:]
    return F.pad(images, (0, -width % multiple, 0, -height % multiple), mode="replicate")
