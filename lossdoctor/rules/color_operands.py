"""Recognising a colour space in what enters a distance."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from ..facts.statistics import Statistics
from ..losses.spaces import SPACES
from .distances import data_side

if TYPE_CHECKING:
    from ..config.schema import Space
    from ..facts.operands import Operand, Operation

#: A conversion by the name of the function that does it: rgb_to_lab, rgb2lab, RGB2LAB, xyz_to_rgb, rgb_to_lab_torch, …
_CONVERSION = re.compile(
    r"(?:rgb|bgr|xyz|lab|luv|hsv|ycbcr|yuv)_?(?:to|2)_?(rgb|bgr|lab|luv|hsv|ycbcr|yuv|xyz)", re.IGNORECASE
)

#: Operations of layers: what a network makes of colours is no colour.
_LAYER = re.compile(r"conv\w*|linear|addmm|\w+_norm|\w*attention\w*")

_NOT_RGB = [space for space in SPACES if space != "rgb"]

#: A space of which some channel spans more than this has units of its own: RGB, and everything scaled to be like it,
#: spans about 1.
RAW_SPAN = 1.5

#: Whatever is scaled to [0, 1] or [−1, 1], or standardised, deviates by about 1 at most.
_SCALED_DEVIATION = 2.0


class ColorOperand(NamedTuple):
    """An operand that holds the channels of a colour space."""

    space: Space
    known_by: str  #: the conversion that made it; "" where its ranges alone say so
    channels: tuple[Statistics, ...]

    @property
    def raw(self) -> bool:
        """Whether some channel is in the units of its space, not scaled.

        a and b of CIELAB deviate by 5 to 30 where a scaled channel deviates by about 1 at most; lightness, hue (in
        radians or degrees) and 8-bit values go beyond π on one side of 0, which no scaled channel does.
        """
        return any(
            channel.std > _SCALED_DEVIATION or (channel.minimum >= 0 and channel.maximum > math.pi)
            for channel in self.channels
        )


def color_operand(operation: Operation) -> ColorOperand | None:
    """Return what a distance compares where it is colour, in whatever units; None where it is something else.

    The space is known by either side's conversion. The range is that of the data's side, where there is one: an
    untrained prediction may have any.
    """
    data = data_side(operation)
    for operand in operation.operands:
        if conversion := _conversion(operand):
            name, space = conversion
            channels = _color_channels(data or operand, space)
            return ColorOperand(space, name, _as_compared(operation, channels)) if channels else None
    if data is not None and _looks_like_lab(data):
        return ColorOperand("lab", "", _as_compared(operation, data.channels))
    return None


def _as_compared(operation: Operation, channels: Sequence[Statistics]) -> tuple[Statistics, ...]:
    """Return channels in the unit that they have when their difference is taken to its square or magnitude."""
    factor = operation.arguments.get("factor", 1.0)
    return tuple(
        Statistics(factor * seen.minimum, factor * seen.maximum, factor * seen.mean, factor * seen.std)
        for seen in channels
    )


def _conversion(operand: Operand) -> tuple[str, Space] | None:
    """Return the last conversion that an operand came through and the space it leads to, None where that is RGB."""
    for name, further in pairwise((*operand.origin, "")):
        if match := _CONVERSION.search(name):
            target = match.group(1).lower()
            return next(((name.removesuffix("()"), space) for space in _NOT_RGB if space == target), None)
        # The prediction's side may have come through the model since; a conversion may end in a convolution of its own.
        if operand.requires_grad and _LAYER.fullmatch(name) and not _CONVERSION.search(further):
            return None
    return None


def _color_channels(operand: Operand, space: Space) -> tuple[Statistics, ...]:
    """Return the statistics of a colour's channels; those of all together where they are not in dimension 1."""
    most = len(SPACES[space])
    if 0 < len(operand.channels) <= most:
        return operand.channels
    channels_last = operand.shape[-1:] and operand.shape[-1] <= most
    unbatched = len(operand.shape) == 3 and operand.shape[0] <= most
    return (operand.overall,) if channels_last or unbatched else ()


def _looks_like_lab(operand: Operand) -> bool:
    """Whether three channels have the ranges of CIELAB, and of nothing else that is usual in three channels.

    L is never negative, never above 100 and reaches well beyond 1; a and b are signed, within what RGB can show, and
    centred near grey.
    """
    if len(operand.channels) != 3 or len(operand.shape) != 4:
        return False
    lightness, *chroma = operand.channels
    return (
        lightness.minimum >= -0.5
        and 30 < lightness.maximum <= 100.5
        and lightness.mean > 10
        and all(-108.5 <= c.minimum < 0 < c.maximum <= 99 and c.maximum - c.minimum > 10 for c in chroma)
        and all(abs(c.mean) < 40 for c in chroma)
    )


def describe_channels(
    space: Space, channels: Sequence[Statistics], letters: Sequence[str] | None = None
) -> dict[str, str]:
    """Return the range of every channel by its letter: {"L": "0 … 98.9", …}; by number where letters are unknown."""
    known = letters or [channel.letter for channel in SPACES[space]]
    names = known if len(known) == len(channels) else [f"channel {index}" for index in range(len(channels))]
    return {
        name: f"{channel.minimum:.3g} … {channel.maximum:.3g}" for name, channel in zip(names, channels, strict=True)
    }
