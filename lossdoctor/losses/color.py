"""The colour space in which a component sees its images."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import kornia.color
import torch
from torch import Tensor

from ..config.schema import Space
from ..errors import LossDoctorError
from .spaces import SPACES, channel_indices, selected_channels


def _rgb_to_xyz(image: Tensor) -> Tensor:
    # CIE XYZ is linear in light and kornia's matrix expects linear RGB; photographs are gamma-encoded sRGB.
    xyz: Tensor = kornia.color.rgb_to_xyz(kornia.color.rgb_to_linear_rgb(image))
    return xyz


_FROM_RGB: Mapping[Space, Callable[[Tensor], Tensor]] = {
    "rgb": lambda image: image,
    "lab": kornia.color.rgb_to_lab,
    "luv": kornia.color.rgb_to_luv,
    "ycbcr": kornia.color.rgb_to_ycbcr,
    "yuv": kornia.color.rgb_to_yuv,
    "hsv": kornia.color.rgb_to_hsv,
    "xyz": _rgb_to_xyz,
    "gray": kornia.color.rgb_to_grayscale,
}


@dataclass(frozen=True)
class ColorView:
    """Chosen channels of a colour space, raw or scaled to about [0, 1]: N×3×H×W RGB in [0, 1] -> N×C×H×W.

    Grey images, N×1×H×W, stay as they are where the space is gray, or rgb with all its channels; any other
    space raises LossDoctorError, because a colour cannot be made up. Values outside [0, 1] are converted as
    they come: clamping them would stop their gradient.
    """

    component: str  #: for messages
    space: Space
    letters: tuple[str, ...] | None  #: None for all channels
    normalize: bool

    def __call__(self, image: Tensor) -> Tensor:
        """Return the image as the component sees it."""
        if image.shape[1] == 1:
            return self._grey(image)
        return self._scale(self._pick(_FROM_RGB[self.space](image)))

    def _grey(self, image: Tensor) -> Tensor:
        if self.space == "gray" or (self.space == "rgb" and self.letters is None):
            return image
        wanted = self.space if self.letters is None else f"{self.space} [{', '.join(self.letters)}]"
        message = f"component {self.component!r}: space {wanted} needs RGB images, found 1 channel (grey)"
        raise LossDoctorError(message, "Write `space: gray`, or let model and data give RGB images.")

    def _pick(self, image: Tensor) -> Tensor:
        """Slices rather than an index list, which would be copied to the device and wait for it."""
        indices = channel_indices(self.space, self.letters)
        if indices == tuple(range(len(SPACES[self.space]))):
            return image
        return torch.cat([image[:, index : index + 1] for index in indices], dim=1)

    def _scale(self, image: Tensor) -> Tensor:
        """Plain numbers rather than tensors of constants, for the same reason."""
        channels = selected_channels(self.space, self.letters)
        if not self.normalize or all(channel.normalized for channel in channels):
            return image
        planes = torch.split(image, 1, dim=1)
        scaled = [(plane + channel.offset) / channel.span for plane, channel in zip(planes, channels, strict=True)]
        return torch.cat(scaled, dim=1)
