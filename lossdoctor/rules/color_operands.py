"""Recognising a colour space in what enters a loss."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ..config.schema import Space
from ..losses.spaces import SPACES
from ..records import Operand, Operation, Statistics

#: A conversion by the name of the function that does it: rgb_to_lab, rgb2lab, RGB2LAB, bgr_to_hsv, rgb_to_lab_torch, …
_CONVERSION = re.compile(r"(?:rgb|bgr|xyz)_?(?:to|2)_?(lab|luv|hsv|ycbcr|yuv|xyz)", re.IGNORECASE)

#: A channel spanning more than this is in units of its own: RGB, and everything scaled to be like it, spans about 1.
RAW_SPAN = 1.5


@dataclass(frozen=True)
class ColorOperand:
    """An operand that holds the channels of a colour space."""

    space: Space
    known_by: str  #: the conversion that made it, or "its ranges"
    channels: tuple[Statistics, ...]

    @property
    def raw(self) -> bool:
        """Whether some channel spans so much that the space's own units must be in it."""
        return any(channel.maximum - channel.minimum > RAW_SPAN for channel in self.channels)


def color_operands(operation: Operation) -> Iterator[ColorOperand]:
    """Yield the operands of an operation that hold colour, in whatever units."""
    for operand in operation.operands:
        if len(operand.shape) < 3 or not operand.channels:
            continue
        if conversion := _conversion(operand.origin):
            yield ColorOperand(conversion[1], conversion[0], operand.channels)
        elif _looks_like_lab(operand):
            yield ColorOperand("lab", "its ranges", operand.channels)


def _conversion(origin: Sequence[str]) -> tuple[str, Space] | None:
    for name in origin:
        if match := _CONVERSION.search(name):
            space = match.group(1).lower()
            return name.removesuffix("()"), next(known for known in SPACES if known == space)
    return None


def _looks_like_lab(operand: Operand) -> bool:
    """Whether three channels have the ranges of CIELAB, and of nothing else that is usual in three channels.

    L is never negative, never above 100 and reaches well beyond 1; a and b are signed, within ±128, and centred near grey. An
    untrained prediction may have any range, so only a side without gradient, the data, is judged.
    """
    if operand.requires_grad or len(operand.channels) != 3 or len(operand.shape) != 4:
        return False
    lightness, *chroma = operand.channels
    return (
        -0.5 <= lightness.minimum
        and 30 < lightness.maximum <= 100.5
        and lightness.mean > 10
        and all(-128.5 <= c.minimum < 0 < c.maximum <= 128.5 and c.maximum - c.minimum > 10 for c in chroma)
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
