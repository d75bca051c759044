"""One image file as a square of RGB: whatever its format, depth, transparency and orientation."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor

from ..errors import DataError

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff"})

#: The only decoders that a file's content may choose; some others, such as PostScript, would run programs.
FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "TIFF")

#: Width × height above which a file is not decoded. Cameras of 61 megapixels fit, decompression bombs do not.
PIXEL_CAP = 80_000_000

#: The value of white in Pillow's modes of more than 8 bits. In practice, "I" holds 16-bit pixels too.
WHITE = {"I": 65535, "I;16": 65535, "I;16L": 65535, "I;16B": 65535, "I;16N": 65535, "F": 1}


class UnreadableImageError(DataError):
    """A file that cannot be used as a photograph, and why."""

    def __init__(self, file: Path, reason: str) -> None:
        super().__init__(f"{file}: {reason}", "replace the file by a complete image, or remove it")
        self.file = file
        self.reason = reason


def read_square(file: Path, size: int) -> Tensor:
    """Decode an image, turn it upright, crop the centre to a square and scale it: (3, size, size) in [0, 1].

    Grey becomes three equal channels, transparency is laid on white, 16 bits are divided by 65535, and of
    several frames the first is taken. Raises UnreadableImageError.
    """
    if not file.is_file():
        raise UnreadableImageError(file, "not a regular file, or a link to nowhere")
    try:
        with warnings.catch_warnings():
            # Pillow warns of large images, which are judged below, and of metadata, which does not matter.
            warnings.simplefilter("ignore")
            return _decode(file, size)
    except UnreadableImageError:
        raise
    except UnidentifiedImageError:
        reason = "not a PNG, JPEG, WebP, BMP or TIFF image" if file.stat().st_size else "the file is empty"
        raise UnreadableImageError(file, reason) from None
    except Exception as error:  # damaged files make Pillow raise almost anything
        raise UnreadableImageError(file, str(error) or type(error).__name__) from error


def _decode(file: Path, size: int) -> Tensor:
    with Image.open(file, formats=FORMATS) as image:
        if image.width * image.height > PIXEL_CAP:
            reason = f"{image.width} × {image.height} pixels, more than the {PIXEL_CAP:,} that are decoded"
            raise UnreadableImageError(file, reason)
        # A large JPEG is decoded at a half, a quarter or an eighth of its size, where that is enough.
        image.draft(None, (2 * size, 2 * size))
        flat = _flatten(ImageOps.exif_transpose(image))
    square = ImageOps.fit(flat, (size, size), Image.Resampling.BICUBIC)
    pixels = torch.from_numpy(np.array(square, dtype=np.float32))
    if square.mode == "F":
        return pixels.clamp(0, 1).repeat(3, 1, 1)  # bicubic scaling overshoots a little
    return pixels.permute(2, 0, 1).contiguous() / 255


def _flatten(image: Image.Image) -> Image.Image:
    """Return an opaque image of mode RGB, or of mode F in [0, 1] where grey has more than 8 bits."""
    if (white := WHITE.get(image.mode)) is not None:
        pixels = np.asarray(image, dtype=np.float32) / np.float32(white)
        if not (pixels.min() >= 0 and pixels.max() <= 1):
            msg = f"pixels of mode {image.mode} outside 0 to {white}"
            raise ValueError(msg)
        return Image.fromarray(pixels)
    if "A" in image.getbands() or "transparency" in image.info:
        canvas = Image.new("RGBA", image.size, "white")
        return Image.alpha_composite(canvas, image.convert("RGBA")).convert("RGB")
    return image.convert("RGB")
