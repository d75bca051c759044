"""What is noted of a tensor that enters a comparison, before it is gone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch._C import _functorch

from ..facts.operands import Operand
from . import statistics


@dataclass
class SeenOperand:
    """An operand of one batch: its distribution is still on the device."""

    shape: tuple[int, ...]
    dtype: str
    requires_grad: bool
    has_channels: bool
    moments: Tensor
    row_sums: Tensor | None  # (2,) least and greatest sum over dimension 1
    integral: Tensor  # ()
    origin: tuple[str, ...]


def see(tensor: Tensor, origin: tuple[str, ...]) -> SeenOperand:
    """Summarise a tensor without waiting for the device."""
    sample = statistics.thinned(tensor.detach())
    has_channels = statistics.has_channels(tensor)
    sums = sample.float().sum(1) if has_channels and sample.is_floating_point() and sample.numel() else None
    return SeenOperand(
        shape=tuple(tensor.shape),
        dtype=str(tensor.dtype).removeprefix("torch."),
        requires_grad=tensor.requires_grad,
        has_channels=has_channels,
        moments=statistics.moments(tensor),
        row_sums=torch.stack([sums.amin(), sums.amax()]) if sums is not None else None,
        integral=_is_integral(sample),
        origin=origin,
    )


def _is_integral(tensor: Tensor) -> Tensor:
    if tensor.is_floating_point() and tensor.numel():
        return (tensor - tensor.round()).abs_().amax() == 0
    return torch.tensor(not tensor.is_complex())


def can_be_seen(tensor: Tensor) -> bool:
    """Return whether a tensor has elements to look at: not inside vmap and grad of torch.func, not sparse or nested."""
    plain = tensor.layout == torch.strided and not tensor.is_nested
    return plain and not _functorch.is_functorch_wrapped_tensor(tensor)


def shape_of(tensor: Tensor) -> tuple[int, ...]:
    """Return the shape of a tensor; a nested one has none."""
    return () if tensor.is_nested else tuple(tensor.shape)


def join(name: str, batches: Sequence[SeenOperand]) -> Operand:
    """Return an operand over all batches."""
    first = batches[0]
    sums = [seen.row_sums.tolist() for seen in batches if seen.row_sums is not None]
    alike = all(seen.has_channels and len(seen.shape) == len(first.shape) for seen in batches)
    return Operand(
        name=name,
        shape=first.shape,
        dtype=first.dtype,
        requires_grad=any(seen.requires_grad for seen in batches),
        overall=statistics.overall(seen.moments for seen in batches),
        channels=statistics.by_channel(seen.moments for seen in batches) if alike else (),
        row_sum=(min(low for low, _ in sums), max(high for _, high in sums)) if sums else None,
        integral=all(bool(seen.integral) for seen in batches),
        origin=first.origin,
    )
