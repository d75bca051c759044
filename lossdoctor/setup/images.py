"""A folder of photographs as pairs of (input, target): the `images` form of the config's `data` section."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from kornia.color import rgb_to_grayscale
from torch import Tensor
from torch.utils.data import Dataset

from ..config.schema import ImageData
from ..errors import DataError
from ..facts.data import UnreadableSample
from .image_file import SUFFIXES, UnreadableImageError, read_square

Pair = tuple[Tensor, Tensor]


class PhotoFolder(Dataset[Pair]):
    """Pairs of (input, target) made from photographs, for a model that keeps height and width.

    Both are float32 of height and width `data.size`. The target is RGB in [0, 1]. The input is

    * `colorization`: the target in grey, one channel, in [0, 1];
    * `denoising`: the target plus Gaussian noise of standard deviation `data.sigma`. It is not clipped to
      [0, 1], which would give the noise a mean. The same `seed` and index give the same noise;
    * `super-resolution`: the target made `data.factor` times smaller and enlarged again, both bicubic,
      in [0, 1].

    Nothing is decoded before it is asked for, but one file to see that there is something to read. A loader
    leaves out the files that turn out unreadable, so that a batch may be smaller; `unreadable` has those met
    so far (in this process, not in a loader's workers). `dataset[index]` raises UnreadableImageError.
    """

    def __init__(self, data: ImageData, folder: Path, *, seed: int = 0) -> None:
        """List the images of `data.images`, which is relative to `folder`, the config's.

        Raises DataError where they cannot be listed, there is none, or none can be read.
        """
        if data.task == "super-resolution" and data.factor > data.size:
            msg = f"data.factor: expected at most data.size, {data.size}, found {data.factor}"
            raise DataError(msg, "lower the factor or raise the size")
        self.data = data
        self.seed = seed
        self.root = folder / Path(data.images).expanduser()
        self.files = image_files(self.root)
        self._failures: dict[Path, str] = {}
        if self._first_readable() is None:
            raise self._nothing_readable()

    @property
    def unreadable(self) -> list[UnreadableSample]:
        """The files that could not be read, of those asked for so far, by their paths below the folder."""
        return [
            UnreadableSample(file.relative_to(self.root).as_posix(), reason)
            for file, reason in sorted(self._failures.items())
        ]

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> Pair:
        target = read_square(self.files[index], self.data.size)
        return self._degrade(target, index), target

    def __getitems__(self, indices: list[int]) -> list[Pair]:
        """Return a batch for a DataLoader, without the files that cannot be read."""
        if pairs := list(self._readable(indices)):
            return pairs
        # Every file of this batch is broken, and an empty batch is none.
        if (pair := self._first_readable()) is None:
            raise self._nothing_readable()
        return [pair]

    def _readable(self, indices: Iterable[int]) -> Iterator[Pair]:
        return (pair for index in indices if (pair := self._try_reading(index)) is not None)

    def _try_reading(self, index: int) -> Pair | None:
        try:
            return self[index]
        except UnreadableImageError as error:
            self._failures[error.file] = error.reason
            return None

    def _first_readable(self) -> Pair | None:
        return next(self._readable(range(len(self))), None)

    def _nothing_readable(self) -> DataError:
        first = self.unreadable[0]
        msg = f"{self.root}: no image can be read; {first.file}, for one: {first.reason}"
        return DataError(msg, "check that the files are complete PNG, JPEG, WebP, BMP or TIFF images")

    def _degrade(self, target: Tensor, index: int) -> Tensor:
        if self.data.task == "colorization":
            return rgb_to_grayscale(target)
        if self.data.task == "denoising":
            random = np.random.default_rng([self.seed, index])
            noise = random.standard_normal(tuple(target.shape), dtype=np.float32)
            return target + self.data.sigma * torch.from_numpy(noise)
        return lower_resolution(target, self.data.factor)


def lower_resolution(image: Tensor, factor: int) -> Tensor:
    """Make (C, H, W) in [0, 1] `factor` times smaller and enlarge it to (C, H, W) again, both bicubic."""
    height, width = image.shape[-2:]
    small_size = (height // factor, width // factor)
    small = F.interpolate(image[None], size=small_size, mode="bicubic", antialias=True)
    return F.interpolate(small, size=(height, width), mode="bicubic")[0].clamp(0, 1)


def image_files(root: Path) -> list[Path]:
    """List the files with an image's suffix below a folder, sorted by path.

    Links are followed, into each folder once. Hidden files and folders are left out. Raises DataError where
    there is no such folder, or no image in it.
    """
    advice = "data.images names a folder of photographs, relative to the config file"
    if not root.is_dir():
        found = "found a file" if root.exists() else "which does not exist"
        msg = f"{root}: expected a folder of images, {found}"
        raise DataError(msg, advice)
    files = [file for folder, names in _walk(root) for name in names if _is_image(file := folder / name)]
    if not files:
        msg = f"{root}: no image in this folder or below it (looked for {', '.join(sorted(SUFFIXES))})"
        raise DataError(msg, advice)
    return sorted(files)


def _walk(root: Path) -> Iterator[tuple[Path, list[str]]]:
    visited: set[str] = set()
    for folder, subfolders, names in os.walk(root, followlinks=True):
        real = os.path.realpath(folder)
        if real in visited:  # a link led back here
            subfolders.clear()
            continue
        visited.add(real)
        # In order, because of two links to one folder the first is followed.
        subfolders[:] = sorted(name for name in subfolders if not name.startswith("."))
        yield Path(folder), names


def _is_image(file: Path) -> bool:
    # macOS leaves `._photo.jpg` beside photo.jpg on foreign disks, which is no image.
    return file.suffix.lower() in SUFFIXES and not file.name.startswith(".")
