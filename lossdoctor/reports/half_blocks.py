"""A picture on the terminal: half-block characters, two pixels each, for terminals that have colours."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.color import Color
from rich.console import Console
from rich.segment import Segment, Segments
from rich.style import Style

#: Columns of a picture at most: enough to tell green from grey.
WIDEST = 96


def show_pictures(console: Console, files: Sequence[str]) -> None:
    """Preview what models made of a few images, of the files of a run, where the terminal has colours."""
    if console.no_color or console.color_system not in ("256", "truecolor"):
        return
    picture = next((Path(file) for file in files if file.endswith("samples.png")), None)
    if picture and picture.exists():
        console.print(half_blocks(picture, console.width))


def half_blocks(file: Path, width: int) -> Segments:
    """Return a picture file, scaled to `width` columns, 96 at most, for `Console.print`."""
    from PIL import Image

    with Image.open(file) as picture:
        columns = min(width, WIDEST, picture.width)
        rows = max(round(picture.height * columns / picture.width / 2), 1)
        pixels = picture.convert("RGB").resize((columns, 2 * rows), Image.Resampling.BOX)
    segments = []
    for row in range(rows):
        for column in range(columns):
            upper, lower = (pixels.getpixel((column, 2 * row + half)) for half in (0, 1))
            segments.append(Segment("▀", Style(color=_color(upper), bgcolor=_color(lower))))
        segments.append(Segment.line())
    return Segments(segments)


def _color(pixel: Any) -> Color:
    return Color.from_rgb(*pixel)
