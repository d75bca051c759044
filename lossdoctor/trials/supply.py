"""The batches of a training run: endless, the same for the same seed, and to be had from any step on."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

import torch
from torch.utils.data import default_collate
from torchvision.transforms import v2

from ..config.schema import TargetData
from ..errors import DataError
from ..setup.batches import Batch, target_source
from ..setup.device import random_state, random_state_kept, seed_everything, set_random_state
from ..setup.image_file import read_square
from ..setup.images import Pair, PhotoFolder
from ..setup.user_code import blaming

#: Random crops are cut from squares this much larger than what is trained on.
MARGIN = 1.25


class CroppedPhotos(PhotoFolder):
    """Photographs of which each reading shows a random crop, half of the time mirrored."""

    def __getitem__(self, index: int) -> Pair:
        size = self.data.size
        square = read_square(self.files[index], round(MARGIN * size))
        crop = v2.Compose([v2.RandomCrop(size), v2.RandomHorizontalFlip()])
        target = crop(square)
        return self._degrade(target, index), target


def photo_batches(photos: PhotoFolder, indices: Sequence[int], seed: int, start: int = 0) -> Iterator[Batch]:
    """Yield batches of photographs for ever, from batch `start` on; every epoch has an order of its own.

    What a batch holds, its crops included, depends on its number and the seed alone.
    """
    size = min(photos.data.batch_size, len(indices))
    per_epoch = len(indices) // size
    for number in itertools.count(start):
        epoch, position = divmod(number, per_epoch)
        order = torch.randperm(len(indices), generator=torch.Generator().manual_seed(seed + epoch)).tolist()
        chosen = [indices[i] for i in order[position * size : (position + 1) * size]]
        with random_state_kept():
            seed_everything(seed + number)
            batch = default_collate(photos.__getitems__(chosen))
        yield batch


def target_batches(data: TargetData, seed: int, start: int = 0) -> Iterator[Batch]:
    """Yield what the user's data gives, for ever, from batch `start` on.

    It has random generators of its own: what it draws depends on its own past alone, not on what the model and the loss
    draw between two batches. So all batches before `start` can be made again and thrown away.
    """
    batches = _endless(data, seed)
    with random_state_kept():
        seed_everything(seed)
        own = random_state()
    for number in itertools.count():
        others = random_state()
        set_random_state(own)
        try:
            with blaming("reading a batch from data.target"):
                batch = next(batches)
            own = random_state()
        finally:
            set_random_state(others)
        if number >= start:
            yield batch


def _endless(data: TargetData, seed: int) -> Iterator[Batch]:
    """Yield the batches of one epoch after the other. Raises DataError where there is none in one."""
    source, first = None, True
    while True:
        if source is None or iter(source) is source:  # used up, such as a generator
            source = target_source(data.target, data.args, batch_size=data.batch_size, seed=seed)
        empty = True
        for batch in source:
            empty = False
            yield batch
        if empty:
            message = f"data.target: {'the data' if first else 'the second epoch'} gave no batch"
            raise DataError(message, "Return something that can be iterated over again, such as a DataLoader.")
        first = False
