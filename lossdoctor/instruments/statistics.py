"""Distributions of tensors, computed where the tensors are and read on the host once."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from ..records import Statistics

#: More elements than this are thinned out along the first dimension: extremes and means hardly change, memory does.
SAMPLE_ELEMENTS = 2**22

#: More channels than this are features, which no rule looks at one by one.
MOST_CHANNELS = 64

_FIELDS = 5  # minimum, maximum, sum, sum of squares, count


def thinned(tensor: Tensor) -> Tensor:
    """Return at most about SAMPLE_ELEMENTS elements of a tensor, evenly spread over its first dimension."""
    if tensor.numel() <= SAMPLE_ELEMENTS or tensor.dim() == 0:
        return tensor
    step = math.ceil(tensor.numel() / SAMPLE_ELEMENTS)
    return tensor[::step]


def moments(tensor: Tensor, *, by_channel: bool = False) -> Tensor:
    """Return `(channels, 5)`: minimum, maximum, sum, sum of squares and count of the finite elements, on the device.

    Without `by_channel`, or for a tensor with fewer than two dimensions, there is one row for all elements.
    """
    values = thinned(tensor.detach())
    values = values.abs() if values.is_complex() else values
    values = values if values.dtype == torch.float64 else values.float()
    rows = values.transpose(0, 1).flatten(1) if by_channel and values.dim() > 1 else values.reshape(1, -1)
    if not rows.shape[1]:
        return torch.zeros(rows.shape[0], _FIELDS, device=rows.device)
    finite = rows.isfinite()
    clean = torch.where(finite, rows, 0.0)
    infinity = torch.full((), math.inf, device=rows.device, dtype=rows.dtype)
    return torch.stack(
        [
            torch.where(finite, rows, infinity).amin(1),
            torch.where(finite, rows, -infinity).amax(1),
            clean.sum(1),
            clean.square().sum(1),
            finite.sum(1),
        ],
        dim=1,
    )


def has_channels(tensor: Tensor) -> bool:
    """Return whether dimension 1 of a tensor holds channels or classes worth a look each."""
    return tensor.dim() > 1 and 1 <= tensor.shape[1] <= MOST_CHANNELS


def join(batches: Sequence[Sequence[Sequence[float]]]) -> tuple[Statistics, ...]:
    """Return the statistics of every channel over all batches, from the moments of each batch."""
    return tuple(_join_channel(rows) for rows in zip(*batches, strict=True))


def _join_channel(rows: Sequence[Sequence[float]]) -> Statistics:
    count = sum(row[4] for row in rows)
    if not count:
        return Statistics(math.nan, math.nan, math.nan, math.nan)
    mean = sum(row[2] for row in rows) / count
    variance = max(sum(row[3] for row in rows) / count - mean**2, 0.0)
    return Statistics(min(row[0] for row in rows), max(row[1] for row in rows), mean, math.sqrt(variance))
