"""Recognising where images enter a conversion of colours, by the name of the function that converts them."""

from __future__ import annotations

import re
from collections.abc import Iterable

#: rgb_to_lab, RgbToHsv, rgb2yuv, bgr_to_lab, …: from what is in [0, 1] to a space with units of its own.
_FROM_RGB = re.compile(r"(?:rgb|bgr)_?(?:to|2)_?(?:lab|luv|hsv|hls|xyz|ycbcr|yuv)", re.IGNORECASE)


def conversion_of(callers: Iterable[str]) -> str | None:
    """Return the name of the outermost conversion among the functions on the stack, None where there is none."""
    return next((name for name in reversed([*callers]) if _FROM_RGB.search(name)), None)
