"""Walking the autograd graph: what a tensor was computed from, without computing any gradient."""

from __future__ import annotations

from collections.abc import Iterable

from torch import Tensor
from torch.autograd.graph import Node


def ancestors(tensors: Iterable[Tensor]) -> set[Node]:
    """Return every node of the graph that the tensors were computed through."""
    pending = [tensor.grad_fn for tensor in tensors if tensor.grad_fn is not None]
    seen: set[Node] = set(pending)
    while pending:
        for node, _ in pending.pop().next_functions:
            if node is not None and node not in seen:
                seen.add(node)
                pending.append(node)
    return seen


def leaves(tensor: Tensor) -> set[int]:
    """Return the ids of the leaf tensors, parameters among them, that a tensor has a gradient path to."""
    return set(map(id, leaf_tensors(tensor)))


def leaf_tensors(tensor: Tensor) -> list[Tensor]:
    """Return the leaf tensors, parameters among them, that a tensor has a gradient path to."""
    if tensor.is_leaf:
        return [tensor] if tensor.requires_grad else []
    variables = (getattr(node, "variable", None) for node in ancestors([tensor]))
    return [variable for variable in variables if variable is not None]
