"""Walking the autograd graph: what a tensor was computed from, without computing any gradient."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable
from typing import Any

from torch import Tensor, nn
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


def trained_outside(tensor: Tensor, own: Collection[int]) -> int:
    """Return the scalars of a network that a tensor has a gradient path to, 0 where it has one to a parameter of `own`.

    A network has several matrices: a single one is a codebook, or the centres of classes, which are learned.
    """
    variables = [getattr(node, "variable", None) for node in ancestors([tensor])]
    parameters = {id(variable): variable for variable in variables if isinstance(variable, nn.Parameter)}
    if not parameters.keys().isdisjoint(own) or sum(parameter.dim() > 1 for parameter in parameters.values()) < 2:
        return 0
    return sum(parameter.numel() for parameter in parameters.values())


def leaves(tensor: Tensor) -> set[int]:
    """Return the ids of the leaf tensors, parameters among them, that a tensor has a gradient path to."""
    return set(map(id, leaf_tensors(tensor)))


def leaf_tensors(tensor: Tensor) -> list[Tensor]:
    """Return the leaf tensors, parameters among them, that a tensor has a gradient path to."""
    if tensor.is_leaf:
        return [tensor] if tensor.requires_grad else []
    variables = (getattr(node, "variable", None) for node in ancestors([tensor]))
    return [variable for variable in variables if variable is not None]


def nearest_leaves(tensor: Tensor, wanted: Callable[[Tensor], bool]) -> set[int]:
    """Return the ids of the leaf tensors that are wanted and have no other such between them and a tensor."""
    pending, seen, found = [tensor.grad_fn], set[Node](), set[int]()
    while pending:
        node = pending.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        following = [following for following, _ in node.next_functions if following is not None]
        # A linear layer gets its weight through a transposition.
        near = [leaf for following_node in following if (leaf := _leaf(following_node)) is not None and wanted(leaf)]
        found |= set(map(id, near))
        pending += [] if near else following
    return found


def _leaf(node: Node) -> Tensor | None:
    """Return the leaf behind a node, looking through what only lays it out anew."""
    while not hasattr(node, "variable"):
        parents = [parent for parent, _ in node.next_functions if parent is not None]
        if len(parents) != 1 or not node.name().startswith(("TBackward", "Transpose", "View", "Permute", "ToCopy")):
            return None
        node = parents[0]
    variable: Tensor = node.variable
    return variable


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
