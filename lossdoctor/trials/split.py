"""What is trained on and what is kept apart to judge by, the same way every time."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from torch.utils.data import Subset

from ..config.schema import Config, ImageData, TargetData
from ..errors import DataError
from ..setup.batches import Batch, loader, take_batches, target_source
from ..setup.build import Setup
from ..setup.images import PhotoFolder
from .supply import CroppedPhotos, photo_batches, target_batches

#: The part of the groups that is kept apart.
VALIDATION_SHARE = 0.2

#: No more batches than this are judged by: a trial is short.
VALIDATION_BATCHES = 32

TRAINING_DATA = (
    "no data are kept apart (data.group, data.validation): the metrics are on training data and say nothing of new data"
)


@dataclass(frozen=True)
class Split:
    """Two sides of the data."""

    supply: Callable[[int], Iterator[Batch]]  #: the batches to train on, from a step's first batch on
    validation: Sequence[Batch]  #: on the host
    kept_apart: bool  #: False where the batches to judge by are trained on as well

    @property
    def name(self) -> str:
        """What metrics on `validation` are metrics of."""
        return "validation" if self.kept_apart else "training"


def split_data(config: Config, setup: Setup) -> Split:
    """Return both sides of a config's data. Raises DataError where one of them would be empty."""
    data, seed = config.data, config.measure.seed
    return _split_photos(data, config, setup) if isinstance(data, ImageData) else _split_target(data, setup, seed)


def _split_target(data: TargetData, setup: Setup, seed: int) -> Split:
    def supply(start: int) -> Iterator[Batch]:
        return target_batches(data, seed, start)

    if data.validation is None:
        return Split(supply, setup.batches, kept_apart=False)
    key = "data.validation.target"
    source = target_source(data.validation.target, data.validation.args, batch_size=data.batch_size, seed=seed, key=key)
    return Split(supply, take_batches(source, VALIDATION_BATCHES, key), kept_apart=True)


def _split_photos(data: ImageData, config: Config, setup: Setup) -> Split:
    seed = config.measure.seed
    kind = CroppedPhotos if config.trial.augment else PhotoFolder
    photos = kind(data, config.folder, seed=seed)
    apart = kept_apart(photos.files, data.group) if data.group else frozenset()
    trained = [index for index, file in enumerate(photos.files) if file not in apart]

    def supply(start: int) -> Iterator[Batch]:
        return photo_batches(photos, trained, seed, start)

    if not apart:
        return Split(supply, setup.batches, kept_apart=False)
    whole = PhotoFolder(data, config.folder, seed=seed)
    judged = [index for index, file in enumerate(whole.files) if file in apart]
    batches = take_batches(loader(Subset(whole, judged), data.batch_size, seed), VALIDATION_BATCHES, "data.images")
    return Split(supply, batches, kept_apart=True)


def kept_apart(files: Sequence[Path], group: str) -> frozenset[Path]:
    """Return the files to judge by: a fifth of the groups that `group` puts them into, one at least.

    They are chosen by a hash of their names, so that the choice hardly changes when files are added. Raises DataError
    where there is only one group.
    """
    groups: dict[str, list[Path]] = {}
    for file in files:
        groups.setdefault(_group(file.name, group), []).append(file)
    if len(groups) < 2:
        message = f"data.group: {group!r} puts all {len(files)} images into one group"
        raise DataError(message, "Its first group has to tell photographs apart, such as '^(.+)-\\d+'.")
    order = sorted(groups, key=lambda name: hashlib.sha256(name.encode()).digest())
    chosen = order[: max(round(VALIDATION_SHARE * len(groups)), 1)]
    return frozenset(file for name in chosen for file in groups[name])


def _group(name: str, pattern: str) -> str:
    """Return the first group of the match, the whole match without one; a name that does not match is on its own."""
    match = re.search(pattern, name)
    if match is None:
        return name
    return match.group(1) if match.re.groups and match.group(1) is not None else match.group()
