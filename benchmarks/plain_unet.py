"""A U-Net that makes its output from nothing, as most are written."""

from __future__ import annotations

import torch
from torch import Tensor

from lossdoctor.models.unet import UNet


class PlainUNet(UNet):
    """The built-in U-Net without the way from its input to its output: at the start it knows no brightness."""

    def forward(self, images: Tensor) -> Tensor:
        """Map (N, in_channels, H, W) to (N, out_channels, H, W) in [0, 1]."""
        return torch.sigmoid(self.correction(images))
