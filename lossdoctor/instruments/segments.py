"""The autograd graph in segments, so that the gradients of all components can be taken from one after the other.

K backwards through the whole graph leave K gradients of the whole model before their first product can be taken:
memory that has to be found, and read again when it has left the cache. Where a single tensor goes from one part of the
graph to the next, as between the blocks of a network, all components can pass through one part first: the gradients
at that tensor are all that the next part needs of them, and the gradients of the parameters behind are folded into
products and forgotten.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, count
from typing import Any, TypeAlias

import torch
from torch import Tensor
from torch.autograd.graph import GradientEdge, Node, get_gradient_edge
from torch.torch_version import TorchVersion

#: Bytes of gradients, of all components together, that are kept before the graph is cut: what stays in a cache.
KEPT = 32 * 2**20

#: torch.autograd.grad begins at an edge of the graph since then.
_CAN_BEGIN_AT_EDGES = TorchVersion(torch.__version__) >= "2.5"


#: Where a backward starts, and the gradient that it starts with; none for a scalar.
Start: TypeAlias = "tuple[Tensor | GradientEdge, Tensor | None]"

Edge = tuple[Node, int]  #: a node, and the number of the result of its forward


@dataclass(frozen=True)
class Segment:
    """A part of the graph, between two of its edges."""

    inputs: tuple[int, ...]  #: which of the inputs get their gradient here
    scalars: frozenset[int]  #: which of the scalars were computed here
    entrance: GradientEdge | None = None  #: where the gradients of the other scalars come in
    exit: GradientEdge | None = None  #: where they leave

    def starts(self, k: int, scalar: Tensor, arriving: Tensor | None) -> list[Start]:
        """Return where the backward of scalar k starts here, given the gradient that arrives at the entrance."""
        passed_on: list[Start] = [(self.entrance, arriving)] if self.entrance and arriving is not None else []
        return [(scalar, None), *passed_on] if k in self.scalars else passed_on

    def wanted(self, inputs: Sequence[Tensor | GradientEdge]) -> list[Any]:
        """Return by what a backward is taken here: its inputs, and last the exit, where there is one."""
        return [*(inputs[i] for i in self.inputs), *([self.exit] if self.exit else [])]


def whole(scalars: Sequence[Tensor], inputs: Sequence[Tensor | GradientEdge]) -> Segment:
    """Return the graph in one piece."""
    return Segment(tuple(range(len(inputs))), frozenset(range(len(scalars))))


def segments(scalars: Sequence[Tensor], inputs: Sequence[Tensor | GradientEdge], kept: int = KEPT) -> list[Segment]:
    """Cut the graph between scalars and inputs into segments, in the order of a backward.

    `kept` is how many bytes the gradients in one segment may take, as far as there are edges to cut at. One segment
    holds everything where they take no more, on an accelerator, whose memory costs nothing to find again, and where
    a hook on a parameter or at an edge might notice.
    """
    size = len(scalars) * sum(map(_bytes, inputs))
    tensors = [given for given in inputs if isinstance(given, Tensor)]
    plain = all(scalar.grad_fn is not None for scalar in scalars) and not any(t._backward_hooks for t in tensors)
    if size <= kept or not plain or not can_cut([*scalars, *tensors]):
        return [whole(scalars, inputs)]
    graph = _Graph.of(scalars, inputs)
    cuts = [cut for cut in _cuts(graph, len(scalars), kept) if _lets_pass(graph.crossing(cut))]
    bounds = [0, *cuts, len(graph.nodes)]
    edges = [None, *map(graph.crossing, cuts), None]
    return [
        Segment(
            inputs=tuple(i for i, place in enumerate(graph.inputs) if start <= place < end),
            scalars=frozenset(k for k, place in enumerate(graph.scalars) if start <= place < end),
            entrance=entrance,
            exit=leaving,
        )
        for start, end, entrance, leaving in zip(bounds, bounds[1:], edges, edges[1:], strict=False)
    ]


@dataclass(frozen=True)
class _Graph:
    """The nodes of a graph in the order in which a backward may run them; places are positions in it."""

    nodes: Sequence[Node]
    spans: Mapping[Edge, tuple[int, int]]  #: the first place that an edge is reached from, and its own
    inputs: Sequence[int]  #: the first place where each input gets a gradient
    sizes: Sequence[int]  #: bytes of the gradients of the inputs that begin at each place
    uncut: Sequence[tuple[int, int]]  #: the first and last place of each input that is a leaf
    scalars: Sequence[int]  #: the places of the scalars

    @classmethod
    def of(cls, scalars: Sequence[Tensor], inputs: Sequence[Tensor | GradientEdge]) -> _Graph:
        """Walk the graph behind scalars, each of which has one."""
        nodes = _in_order([scalar.grad_fn for scalar in scalars if scalar.grad_fn is not None])
        places = {node: place for place, node in enumerate(nodes)}
        reached: dict[Edge, list[int]] = {}
        for place, node in enumerate(nodes):
            for following, number in node.next_functions:
                if following is not None:
                    reached.setdefault((following, number), []).append(place)
        edges = [(edge.node, edge.output_nr) for edge in map(_edge_of, inputs)]
        # What is not reached gets None in any segment.
        first = [places.get(edge[0], min(reached.get(edge, [0]))) for edge in edges]
        begun = [0] * len(nodes)
        for place, given in zip(first, inputs, strict=True):
            begun[place] += _bytes(given)
        return cls(
            nodes=nodes,
            spans={edge: (min(at), places[edge[0]]) for edge, at in reached.items() if edge[0] in places},
            inputs=first,
            sizes=begun,
            uncut=[(min(at), max(at)) for edge in edges if edge[0] not in places and (at := reached.get(edge))],
            scalars=[places[scalar.grad_fn] for scalar in scalars if scalar.grad_fn is not None],
        )

    def cuttable(self) -> Iterator[int]:
        """Yield the places before which at most one edge crosses, and no leaf is used on both sides.

        Behind one of two edges may lie the other: a backward would not stop at the first.
        """
        changes = [0] * (len(self.nodes) + 1)
        for first, last in (*self.spans.values(), *self.uncut, *self.uncut):
            changes[first + 1] += 1
            changes[last + 1] -= 1
        yield from (place for place, crossing in enumerate(accumulate(changes)) if crossing <= 1)

    def crossing(self, cut: int) -> GradientEdge | None:
        """Return the edge that crosses a cut."""
        return next((GradientEdge(*edge) for edge, (first, own) in self.spans.items() if first < cut <= own), None)


def _in_order(roots: Sequence[Node]) -> list[Node]:
    """Return all nodes but the leaves so that each comes after all that lead to it, the last made first."""
    waiting: dict[Node, int] = dict.fromkeys(roots, 0)
    pending = list(waiting)
    while pending:
        for node in _following(pending.pop()):
            if node not in waiting:
                pending.append(node)
            waiting[node] = waiting.get(node, 0) + 1
    order, number = list[Node](), count()
    ready = [(-node._sequence_nr(), next(number), node) for node in dict.fromkeys(roots) if not waiting[node]]
    heapq.heapify(ready)
    while ready:
        *_, last = heapq.heappop(ready)
        order.append(last)
        for node in _following(last):
            waiting[node] -= 1
            if not waiting[node]:
                heapq.heappush(ready, (-node._sequence_nr(), next(number), node))
    return order


def _following(node: Node) -> Iterator[Node]:
    return (following for following, _ in node.next_functions if following is not None and not _is_leaf(following))


def _is_leaf(node: Node) -> bool:
    return hasattr(node, "variable")


def _cuts(graph: _Graph, scalars: int, kept: int) -> Iterator[int]:
    """Yield the places to cut at, each as far on as the gradients since the one before may take the memory."""
    cuttable = set(graph.cuttable())
    size, latest, last = 0, 0, 0
    for place, begun in enumerate(graph.sizes):
        if place in cuttable:
            latest = place
        size += scalars * begun
        if size > kept and latest > last:
            yield latest
            last, size = latest, scalars * sum(graph.sizes[latest : place + 1])


def _lets_pass(edge: GradientEdge | None) -> bool:
    """Whether a gradient passes an edge as it is: a hook there would be called on both sides of a cut."""
    if edge is None:
        return True
    meta = _metadata(edge)
    gradient = torch.ones(meta.shape, dtype=meta.dtype, device=meta.device)
    (passed,) = torch.autograd.grad([edge], [edge], [gradient.clone()], retain_graph=True)
    return torch.equal(passed, gradient)


def can_cut(tensors: Iterable[Tensor]) -> bool:
    """Whether backwards may begin and end inside the graph of these tensors: on a CPU, with a torch that can."""
    return _CAN_BEGIN_AT_EDGES and all(tensor.device.type == "cpu" for tensor in tensors)


def edge_shape(edge: GradientEdge) -> tuple[int, ...]:
    """Return the shape of the gradient at an edge."""
    return tuple(_metadata(edge).shape)


def _metadata(edge: GradientEdge) -> Any:
    return edge.node._input_metadata[edge.output_nr]


def _edge_of(given: Tensor | GradientEdge) -> GradientEdge:
    return get_gradient_edge(given) if isinstance(given, Tensor) else given


def _bytes(given: Tensor | GradientEdge) -> int:
    if isinstance(given, Tensor):
        return given.numel() * given.element_size()
    size: int = _metadata(given).dtype.itemsize
    return size * math.prod(edge_shape(given))
