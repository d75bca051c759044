"""What is in the batches: constant, repeated, empty and non-finite samples.

Costs one pass over the cached batches on the host; the model does not run.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ..facts.data import BatchEntry, DataFacts
from ..setup.batches import Batch, batch_size, named_parts

#: Elements of a sample that are compared with other samples', and of a batch among which values are counted: more of
#: them say no more about pictures or sounds, only about what is discrete anyway.
COMPARED_ELEMENTS = 4_096

#: torch stores these but cannot compare them.
_WITHOUT_ORDER = (torch.uint16, torch.uint32, torch.uint64, torch.float8_e4m3fn, torch.float8_e5m2)


@dataclass(frozen=True)
class _Seen:
    """One tensor of one batch."""

    shape: tuple[int, ...]
    dtype: str
    samples: int
    values: frozenset[float]  #: some of them
    least: Tensor  #: (samples,), NaN where the sample holds a NaN
    greatest: Tensor

    @property
    def finite(self) -> Tensor:
        return self.least.isfinite() & self.greatest.isfinite()

    @property
    def constant(self) -> Tensor:
        return self.finite & (self.least == self.greatest)


def measure_data(batches: Sequence[Batch]) -> DataFacts:
    """Return what the batches hold: every tensor with a sample dimension, and how many samples repeat another.

    Looked at are the tensors of a tuple or mapping, one level of nesting included; lists of samples of different sizes
    are not.
    """
    seen: dict[str, list[_Seen]] = {}
    for batch in batches:
        for name, tensor in _tensors_of(batch).items():
            seen.setdefault(name, []).append(_see(tensor))
    return DataFacts(
        batches=len(batches),
        batch_sizes=tuple(size for batch in batches if (size := batch_size(batch)) is not None),
        entries=tuple(_joined(name, parts) for name, parts in seen.items()),
        copies=tuple(_copies(list(_tensors_of(batch).values())) for batch in batches if batch_size(batch) is not None),
    )


def _tensors_of(batch: Batch) -> dict[str, Tensor]:
    """Return the tensors of a batch that have one row for every sample, by name."""
    size = batch_size(batch)
    return {
        name: tensor.detach()
        for name, tensor in _named(batch)
        if tensor.dim() and len(tensor) == size and tensor.layout == torch.strided and _is_plain(tensor)
    }


def _is_plain(tensor: Tensor) -> bool:
    return not (tensor.is_complex() or tensor.is_quantized)


def _named(batch: Batch, prefix: str = "") -> Iterator[tuple[str, Tensor]]:
    if isinstance(batch, Tensor):
        yield prefix or "input", batch
    elif (parts := named_parts(batch)) is not None:
        for key, part in parts.items():
            if isinstance(part, Tensor):
                yield f"{prefix}.{key}" if prefix else str(key), part
    elif isinstance(batch, (tuple, list)) and not prefix and not all(isinstance(part, Mapping) for part in batch):
        for index, part in enumerate(batch):
            yield from _named(part, ("input", "target")[index] if index < 2 else f"[{index}]")
    elif isinstance(batch, (tuple, list)):
        parts = {f"{prefix}[{index}]": part for index, part in enumerate(batch) if isinstance(part, Tensor)}
        if len({len(part) for part in parts.values() if part.dim()}) == 1:  # else it lists samples of different sizes
            yield from parts.items()


def _see(tensor: Tensor) -> _Seen:
    rows = tensor.reshape(len(tensor), math.prod(tensor.shape[1:]))
    rows = rows.float() if rows.dtype in _WITHOUT_ORDER else rows
    least, greatest = rows.aminmax(dim=1) if rows.numel() else (rows.new_empty(0), rows.new_empty(0))
    some = _thinned(rows.flatten())
    return _Seen(
        shape=tuple(tensor.shape[1:]),
        dtype=str(tensor.dtype).removeprefix("torch."),
        samples=len(tensor),
        values=frozenset(some[some.isfinite()].unique().tolist()),
        least=least.double(),
        greatest=greatest.double(),
    )


def _thinned(values: Tensor) -> Tensor:
    """Return some of the elements along the last dimension, evenly spread; steps are odd, lest they follow columns."""
    return values[..., :: values.shape[-1] // COMPARED_ELEMENTS | 1]


def _joined(name: str, parts: Sequence[_Seen]) -> BatchEntry:
    least, greatest = torch.cat([part.least for part in parts]), torch.cat([part.greatest for part in parts])
    single = bool(len(least)) and float(least.min()) == float(greatest.max())
    return BatchEntry(
        name=name,
        shape=parts[0].shape,
        dtype=parts[0].dtype,
        samples=sum(part.samples for part in parts),
        distinct=max(len(part.values) for part in parts),
        constant=sum(int(part.constant.sum()) for part in parts),
        value=float(least[0]) if single and math.isfinite(least[0]) else None,
        non_finite=sum(int((~part.finite).sum()) for part in parts),
        empty=sum(not len(part.least) for part in parts),
    )


def _copies(tensors: Sequence[Tensor]) -> int:
    """Return how many samples are the same, in all tensors, as an earlier one of the batch."""
    filled = [_thinned(tensor.reshape(len(tensor), -1)).contiguous() for tensor in tensors if tensor.numel()]
    if not filled:
        return 0
    rows = zip(*([row.numpy().tobytes() for row in _as_bytes(tensor)] for tensor in filled), strict=True)
    samples = [hash(row) for row in rows]
    return len(samples) - len(set(samples))


def _as_bytes(tensor: Tensor) -> Tensor:
    return tensor.view(torch.uint8)  # NumPy does not know every dtype of torch
