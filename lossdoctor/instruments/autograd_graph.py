"""Walking the autograd graph: what a tensor was computed from, without computing any gradient."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

from torch import Tensor
from torch.autograd.graph import Node

from ..records import Location
from ..setup.user_code import is_user_file


def ancestors(tensors: Iterable[Tensor], unless: Callable[[Node], bool] | None = None) -> set[Node]:
    """Return every node of the graph that the tensors were computed through, not beyond those that `unless` names."""
    pending = [tensor.grad_fn for tensor in tensors if tensor.grad_fn is not None]
    seen: set[Node] = set(pending)
    while pending:
        last = pending.pop()
        for node, _ in () if unless is not None and unless(last) else last.next_functions:
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


def forward_name(node: Node) -> str:
    """Return the forward operation of a backward node: "SqrtBackward0" -> "sqrt"."""
    name = re.sub(r"Backward\d*$", "", node.name())
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def forward_line(node: Node) -> Location | None:
    """Return the user's line that ran the forward of a node, out of the traceback that anomaly mode keeps."""
    metadata: Any = node.metadata
    traceback = "".join(metadata.get("traceback_", ()))
    places = re.findall(r'File "([^"]+)", line (\d+)', traceback)
    return next((Location(file, int(line)) for file, line in reversed(places) if is_user_file(file)), None)
