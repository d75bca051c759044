"""What an operand came through on its way to an operation."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..facts.operands import Operand

#: Operations of layers, by the names that the trace gives them.
_LAYER = re.compile(r"conv\w*|linear|bilinear|addmm|embedding\w*|\w+_norm|\w*attention\w*|lstm|gru|rnn_\w+")


def operations_before(operand: Operand) -> tuple[str, ...]:
    """Return the operations that an operand came through, nearest first, without the functions that called them."""
    return tuple(name for name in operand.origin if not name.endswith("()"))


def made_by(operand: Operand) -> str:
    """Return the operation that an operand came straight out of, "" where none is known."""
    return next(iter(operations_before(operand)), "")


def is_layer(operation: str) -> bool:
    """Return whether an operation is that of a layer: a convolution, a linear map, a normalisation."""
    return _LAYER.fullmatch(operation) is not None


def came_through_layers(operand: Operand) -> bool:
    """Return whether a network had a part in an operand."""
    return any(map(is_layer, operations_before(operand)))
