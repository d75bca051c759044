"""Recognising SSIM by its constants, whatever function computes it, and the range of values that they stand for.

Wang et al. (2004) add C₁ = (0.01 R)² to products of means and C₂ = (0.03 R)² to variances, where R is the range of the
values.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from torch import Tensor

if TYPE_CHECKING:
    from .trace import Event

#: Ranges below this are none: a constant this small is there to avoid a division by zero.
_LEAST_RANGE = 0.5


@dataclass(frozen=True)
class Addition:
    """A tensor of several elements, and the range that the constant added to it would stand for as a C₁."""

    tensor: Tensor
    data_range: float


def addition_of(name: str, args: Sequence[Any]) -> Addition | None:
    """Return an addition of a constant that may be one of SSIM's; None of anything else."""
    if name not in ("add", "radd") or len(args) < 2:
        return None
    tensor, constant = sorted(args[:2], key=lambda arg: not isinstance(arg, Tensor))
    if not isinstance(tensor, Tensor) or tensor.numel() < 2 or not isinstance(constant, float) or constant <= 0:
        return None
    data_range = math.sqrt(constant) / 0.01
    return Addition(tensor, data_range) if data_range >= _LEAST_RANGE else None


def ssim_means(events: Sequence[Event]) -> Iterator[tuple[Event, Addition]]:
    """Yield the additions of a C₁, to 2 μₓ μᵧ or μₓ² + μᵧ²: those with one of 9 C₁ beside them."""
    additions = [(event, event.addition) for event in events if event.addition is not None]
    for event, addition in additions:
        if any(math.isclose(other.data_range, 3 * addition.data_range, rel_tol=1e-3) for _, other in additions):
            yield event, addition
