"""The scale of every channel of every colour space, as kornia converts RGB in [0, 1]; free of torch."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..config.schema import Space


@dataclass(frozen=True)
class Channel:
    """One channel of a colour space; scaled to about [0, 1] it is (raw + offset) / span."""

    letter: str
    offset: float
    span: float
    minimum: float  #: least raw value that an RGB colour in [0, 1] takes
    maximum: float  #: greatest raw value that an RGB colour in [0, 1] takes

    @property
    def normalized(self) -> bool:
        """Whether raw values are in [0, 1] already."""
        return self.offset == 0 and self.span == 1


#: Minima and maxima are those of the RGB cube, rounded outwards. Sources of offset and span:
#: lab    L* is 0–100 by definition (CIE 1976); a* and b* are stored as −128…127 (ICC profiles, OpenCV)
#: luv    the 8-bit encoding of OpenCV's COLOR_RGB2Luv: u from −134 to 220, v from −140 to 122
#: ycbcr  full range with chroma centred on 0.5 (JFIF): in [0, 1] as it is
#: yuv    ITU-R BT.470: U within ±0.436, V within ±0.615
#: hsv    kornia gives hue in radians
#: xyz    the white point D65, which white reaches (IEC 61966-2-1)
SPACES: Mapping[Space, tuple[Channel, ...]] = {
    "rgb": (
        Channel("R", 0.0, 1.0, 0.0, 1.0),
        Channel("G", 0.0, 1.0, 0.0, 1.0),
        Channel("B", 0.0, 1.0, 0.0, 1.0),
    ),
    "lab": (
        Channel("L", 0.0, 100.0, 0.0, 100.0),
        Channel("a", 128.0, 256.0, -86.19, 98.24),
        Channel("b", 128.0, 256.0, -107.86, 94.48),
    ),
    "luv": (
        Channel("L", 0.0, 100.0, 0.0, 100.0),
        Channel("u", 134.0, 354.0, -83.08, 175.02),
        Channel("v", 140.0, 262.0, -134.10, 107.40),
    ),
    "ycbcr": (
        Channel("Y", 0.0, 1.0, 0.0, 1.0),
        Channel("Cb", 0.0, 1.0, 0.0002, 0.9998),
        Channel("Cr", 0.0, 1.0, 0.0001, 0.9999),
    ),
    "yuv": (
        Channel("Y", 0.0, 1.0, 0.0, 1.0),
        Channel("U", 0.436, 0.872, -0.436, 0.436),
        Channel("V", 0.615, 1.23, -0.615, 0.615),
    ),
    "hsv": (
        Channel("H", 0.0, 2 * math.pi, 0.0, 2 * math.pi),
        Channel("S", 0.0, 1.0, 0.0, 1.0),
        Channel("V", 0.0, 1.0, 0.0, 1.0),
    ),
    "xyz": (
        Channel("X", 0.0, 0.950456, 0.0, 0.950456),
        Channel("Y", 0.0, 1.0, 0.0, 1.0),
        Channel("Z", 0.0, 1.088754, 0.0, 1.088754),
    ),
    "gray": (Channel("Y", 0.0, 1.0, 0.0, 1.0),),
}


def channel_indices(space: Space, letters: Sequence[str] | None) -> tuple[int, ...]:
    """Return the positions of the lettered channels in their space, in the letters' order; all for None."""
    order = [channel.letter for channel in SPACES[space]]
    return tuple(range(len(order)) if letters is None else (order.index(letter) for letter in letters))


def selected_channels(space: Space, letters: Sequence[str] | None) -> tuple[Channel, ...]:
    """Return the lettered channels of a space, in the order of the letters; all for None."""
    channels = SPACES[space]
    return channels if letters is None else tuple(channels[index] for index in channel_indices(space, letters))


def channel_spans(space: Space) -> tuple[tuple[float, float], ...]:
    """Return (offset, span) of every channel of a space: scaled to [0, 1] it is (raw + offset) / span."""
    return tuple((channel.offset, channel.span) for channel in SPACES[space])
