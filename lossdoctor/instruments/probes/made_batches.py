"""Batches that a probe makes out of one that the data gave."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from ...setup.batches import Batch, batch_size, changed, parts_of, rebuilt
from ..tensors import tensors_in
from .replay import NotApplicableError


def repeated(batch: Batch, times: int) -> Any:
    """Return a batch in which every sample is there `times` times.

    Tensors of one sample per row are repeated, and so are lists that hold a sample in every place, as in detection.
    Raises NotApplicableError where a batch has no samples that could be told apart from the rest.
    """
    size = size_of(batch)

    def repeat(part: Any) -> Any:
        if isinstance(part, list) and len(part) == size and not _is_collated(part, size):
            return part * times
        if isinstance(part, Mapping):
            return rebuilt(part, {key: repeat(value) for key, value in part.items()})
        if isinstance(part, (tuple, list)) and not hasattr(part, "_fields"):
            return type(part)(map(repeat, part))
        return changed(part, lambda tensor: torch.cat([tensor] * times) if is_by_sample(tensor, size) else tensor)

    return repeat(batch)


def size_of(batch: Batch) -> int:
    """Return the number of samples. Raises NotApplicableError where it is unknown."""
    # Where samples differ in size, as in detection, a list has a mapping for each of them.
    lists = (
        part
        for part in parts_of(batch)
        if isinstance(part, list) and part and all(isinstance(s, Mapping) for s in part)
    )
    size = next((len(part) for part in lists), None) or batch_size(batch)
    if not size:
        message = "needs batches whose tensors have the samples as their first dimension"
        raise NotApplicableError(message)
    return size


def is_by_sample(tensor: Tensor, size: int) -> bool:
    """Return whether a tensor has one row for every sample."""
    return tensor.dim() > 0 and len(tensor) == size


def _is_collated(part: list[Any], size: int) -> bool:
    """Whether a list holds what a loader has put together, one tensor for every input and target."""
    tensors = tensors_in(part).values()
    return all(isinstance(entry, Tensor) for entry in part) and all(is_by_sample(tensor, size) for tensor in tensors)
