"""How the elements of a loss become one number."""

from __future__ import annotations

from typing import Literal

from torch import Tensor

Reduction = Literal["mean", "sum"]


def reduce(elements: Tensor, reduction: Reduction) -> Tensor:
    """Return the mean or the sum of all elements, a scalar."""
    return elements.mean() if reduction == "mean" else elements.sum()
