"""What becomes of every value where the batch holds every sample twice.

A mean over the samples stays what it is, a sum doubles. Fresh samples would blur that; copies do not. Costs a forward
of the first batch, which the probes share, and one of twice its size.
"""

from __future__ import annotations

from typing import Any

import torch

from ...records import Duplication
from ...setup.batches import Batch, batch_size
from .replay import NotApplicableError, Replay


def probe_duplication(replay: Replay) -> tuple[Duplication, ...]:
    """Return how the value of every component changes where the batch is duplicated along its first dimension.

    Raises NotApplicableError where a batch has no samples that could be told apart from the rest.
    """
    size = batch_size(replay.batch)
    if not size:
        message = "needs batches whose tensors have the samples as their first dimension"
        raise NotApplicableError(message)
    doubled = replay.on_batch(twice(replay.batch, size))
    return tuple(
        Duplication(objective, name, value, doubled.get((objective, name)))
        for (objective, name), value in replay.values.items()
    )


def twice(batch: Batch, size: int) -> Any:
    """Return a batch with every tensor and list of `size` samples repeated; what has another length is kept."""
    if isinstance(batch, torch.Tensor):
        return torch.cat([batch, batch]) if batch.dim() and len(batch) == size else batch
    if isinstance(batch, dict):
        return {key: twice(value, size) for key, value in batch.items()}
    if isinstance(batch, tuple) and not hasattr(batch, "_fields"):
        return tuple(twice(value, size) for value in batch)
    if isinstance(batch, list):
        # A list as long as the batch holds a sample in every place, as in detection; else it is a list of tensors.
        return batch + batch if len(batch) == size else [twice(value, size) for value in batch]
    return batch
