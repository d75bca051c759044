"""Distributions of tensors, computed where the tensors are and read on the host once."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from ..facts.statistics import Statistics

#: More elements than this, per channel where there are channels, are thinned out: extremes and means hardly change,
#: memory does.
SAMPLE_ELEMENTS = 2**20
SAMPLE_ELEMENTS_PER_CHANNEL = 2**16

#: More channels than this are features, which no rule looks at one by one.
MOST_CHANNELS = 64

#: Minimum, maximum, mean, sum of squared deviations from the mean, count: what is known of one channel in one batch.
Moments = Sequence[float]


def has_channels(tensor: Tensor) -> bool:
    """Return whether dimension 1 of a tensor holds channels or classes worth a look each."""
    return tensor.dim() > 1 and 1 <= tensor.shape[1] <= MOST_CHANNELS


def thinned(tensor: Tensor) -> Tensor:
    """Return a view of a tensor with few enough elements, evenly spread.

    Channels are never left out, and tensors that differ in their number alone are thinned in the same way: the same
    channel has the same statistics beside whatever others.
    """
    channels = has_channels(tensor)
    limit = SAMPLE_ELEMENTS_PER_CHANNEL * tensor.shape[1] if channels else SAMPLE_ELEMENTS
    dimensions = [dim for dim in range(tensor.dim()) if dim != 1 or not channels]
    while tensor.numel() > limit:
        largest = max(dimensions, key=lambda dim: tensor.shape[dim])
        tensor = tensor[(slice(None),) * largest + (slice(None, None, 2),)]
    return tensor


def moments(tensor: Tensor) -> Tensor:
    """Return `(channels, 5)` moments of the finite elements, on their device; one row for a tensor without channels.

    Deviations are taken from each row's own mean: the mean of squares less the square of the mean would lose them in
    float32. Complex numbers are seen by their magnitude.
    """
    values = thinned(tensor.detach())
    values = values.abs() if values.is_complex() else values
    values = values if values.dtype == torch.float64 else values.float()
    rows = values.transpose(0, 1).flatten(1) if has_channels(tensor) else values.reshape(1, -1)
    if not rows.shape[1]:
        return torch.zeros(rows.shape[0], 5, device=rows.device)
    # Asking is free on the CPU; elsewhere it would wait for the device.
    if rows.device.type == "cpu" and math.isfinite(rows.sum()):
        return _moments_of_all(rows)
    return _moments_of_some(rows, rows.isfinite())


def _moments_of_all(rows: Tensor) -> Tensor:
    mean = rows.mean(1)  # with amin, amax and square several times as fast as aminmax and var_mean
    deviations = (rows - mean[:, None]).square_().sum(1)
    return torch.stack([rows.amin(1), rows.amax(1), mean, deviations, torch.full_like(mean, rows.shape[1])], dim=1)


def _moments_of_some(rows: Tensor, chosen: Tensor) -> Tensor:
    count = chosen.sum(1)
    mean = torch.where(chosen, rows, 0.0).sum(1) / count.clamp(min=1)
    return torch.stack(
        [
            torch.where(chosen, rows, math.inf).amin(1),
            torch.where(chosen, rows, -math.inf).amax(1),
            mean,
            torch.where(chosen, rows - mean[:, None], 0.0).square().sum(1),
            count.to(rows),
        ],
        dim=1,
    )


def overall(batches: Iterable[Tensor]) -> Statistics:
    """Return the statistics of all elements, from the moments of every batch."""
    return _joined([row for batch in batches for row in batch.tolist()])


def by_channel(batches: Iterable[Tensor]) -> tuple[Statistics, ...]:
    """Return the statistics of every channel over all batches; nothing where batches differ in their number."""
    tables = [batch.tolist() for batch in batches]
    if len({len(table) for table in tables}) != 1:
        return ()
    return tuple(_joined(rows) for rows in zip(*tables, strict=True))


def _joined(rows: Iterable[Moments]) -> Statistics:
    """Pool the rows (Chan, Golub & LeVeque 1979); NaN where not a single element is finite."""
    rows = [row for row in rows if row[4]]
    if not rows:
        return Statistics(math.nan, math.nan, math.nan, math.nan)
    minimum, maximum = min(row[0] for row in rows), max(row[1] for row in rows)
    if minimum == maximum:
        return Statistics(minimum, maximum, minimum, 0.0)
    count = sum(row[4] for row in rows)
    mean = sum(row[4] * row[2] for row in rows) / count
    deviations = sum(row[3] + row[4] * (row[2] - mean) ** 2 for row in rows)
    return Statistics(minimum, maximum, mean, math.sqrt(deviations / count))
