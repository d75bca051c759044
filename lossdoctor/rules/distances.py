"""Comparisons that depend on the unit of what they compare."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..facts.operands import Operand, Operation
    from .base import Case

#: Operations whose value and gradient grow with the unit of their operands, and which add up over channels. A cosine
#: similarity or a cross-entropy does neither.
DISTANCES = frozenset(
    {
        "mse_loss",
        "l1_loss",
        "smooth_l1_loss",
        "huber_loss",
        "pairwise_distance",
        "dist",
        "cdist",
        "absolute difference",
        "squared difference",
        "norm of a difference",
    }
)


def distances(case: Case, objective: str, component: str) -> Iterator[Operation]:
    """Yield the traced distances that ended up in a component."""
    return (operation for operation in case.operations(objective, component) if operation.name in DISTANCES)


def data_side(operation: Operation) -> Operand | None:
    """Return the operand without gradient: data, whose range is what it is, whereas a prediction may have any."""
    return next((operand for operand in operation.operands if not operand.requires_grad), None)
