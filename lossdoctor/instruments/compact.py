"""Gradients of weights in fewer coordinates, with the same inner products.

The gradient of a linear layer or a convolution is ∇W = DᵀA: A has a row for every position that went into the layer, D
the gradient at what came out of it there. With Aᵀ = QR, the columns of Q orthonormal,

    ⟨DᵢᵀA, DⱼᵀA⟩ = ⟨RDᵢ, RDⱼ⟩,

and where few positions went in, RD is much smaller than ∇W, which is never made. The gradient of an embedding is zero
but for the rows of the tokens that occur. Both are exact.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import torch
from torch import Tensor
from torch.autograd.graph import GradientEdge, Node, get_gradient_edge
from torch.nn import functional as F

from .autograd_graph import ancestors
from .segments import can_cut, edge_shape

_Layers: TypeAlias = "Mapping[str, tuple[int, Callable[[Node, Tensor], Compact | None]]]"

#: How much smaller the coordinates have to be than the gradient: finding them costs about as much as that of one.
LEAST_GAIN = 4


@dataclass(frozen=True)
class Compact(ABC):
    """A weight that a graph uses once, in a layer whose result has the gradient D for some component."""

    edge: GradientEdge  #: where a backward gives D

    @abstractmethod
    def coordinates(self, D: Tensor) -> Tensor:
        """Return a tensor whose inner products are those of the weight's gradients."""

    @abstractmethod
    def entries(self, D: Tensor, positions: Tensor) -> Tensor:
        """Return elements of the weight's gradient, by their positions in the flat gradient."""


@dataclass(frozen=True)
class _Layer(Compact):
    """A linear layer, or a convolution as one: of the patches that its kernel sees."""

    A: Tensor  #: (n, in)
    R: Tensor  #: (n, n)

    def coordinates(self, D: Tensor) -> Tensor:
        return self.R @ _rows(D)

    def entries(self, D: Tensor, positions: Tensor) -> Tensor:
        width = self.A.shape[1]
        return (_rows(D).index_select(1, positions // width) * self.A.index_select(1, positions % width)).sum(0)


@dataclass(frozen=True)
class _Embedding(Compact):
    """A table of which a batch looks up some rows."""

    tokens: Tensor  #: those that occur, in order
    places: Tensor  #: the place in `tokens` of every token that was looked up
    counted: Tensor  #: which of them pass a gradient on: all but padding

    def coordinates(self, D: Tensor) -> Tensor:
        rows = D.reshape(-1, D.shape[-1])
        return rows.new_zeros(len(self.tokens), rows.shape[1]).index_add_(0, self.places, rows * self.counted[:, None])

    def entries(self, D: Tensor, positions: Tensor) -> Tensor:
        gradient, width = self.coordinates(D), D.shape[-1]
        tokens, columns = positions // width, positions % width
        place = torch.searchsorted(self.tokens, tokens).clamp(max=len(self.tokens) - 1)
        return torch.where(self.tokens[place] == tokens, gradient[place, columns], 0.0)


def compact(scalars: Sequence[Tensor], inputs: Sequence[Tensor]) -> dict[int, Compact]:
    """Return, by its place, every input whose gradients have far fewer coordinates; none on an accelerator.

    A weight that is used twice has the sum of two such products as its gradient, and is left as it is; so is one with
    a hook, that might want to see its gradient or to change it. What a hook makes of D is what the layer gets, and so
    does a measurement.
    """
    if not can_cut([*scalars, *inputs]):
        return {}
    users = _users(scalars)
    plain = {i: tensor for i, tensor in enumerate(inputs) if tensor.is_leaf and not tensor._backward_hooks}
    return {i: small for i, tensor in plain.items() if (small := _compact(users, tensor)) is not None}


def _users(scalars: Sequence[Tensor]) -> dict[Node, list[Node]]:
    """Return the nodes that make use of each node of a graph, one of them twice where it does so twice."""
    users: dict[Node, list[Node]] = {}
    for node in ancestors(scalars):
        for following, _ in node.next_functions:
            if following is not None:
                users.setdefault(following, []).append(node)
    return users


def _compact(users: Mapping[Node, Sequence[Node]], weight: Tensor) -> Compact | None:
    """Return a weight in fewer coordinates, None where it is not used in just one of the layers known here."""
    given = get_gradient_edge(weight).node
    node, layers = _only_user(users, given), _LAYERS
    if node is not None and node.name() == "TBackward0":
        given, node, layers = node, _only_user(users, node), _LAYERS_OF_TRANSPOSED
    argument, make = layers.get(node.name(), (0, None)) if node is not None else (0, None)
    if node is None or make is None or node.next_functions[argument][0] != given:
        return None
    try:
        with torch.no_grad():
            return make(node, weight)
    except RuntimeError:  # what the graph has saved was changed in place: the backward will say so
        return None


def _only_user(users: Mapping[Node, Sequence[Node]], node: Node) -> Node | None:
    found = users.get(node, ())
    return found[0] if len(found) == 1 else None


def _linear(node: Node, weight: Tensor) -> Compact | None:
    """`addmm(bias, A, Wᵀ)` or `A @ Wᵀ`, which is what torch makes of a linear layer."""
    saved: Any = node
    A = _saved(node, "mat1" if node.name() == "AddmmBackward0" else "self")
    return _layer(node, weight, A) if A is not None and getattr(saved, "_saved_alpha", 1) == 1 else None


def _convolution(node: Node, weight: Tensor) -> Compact | None:
    saved: Any = node
    x = _saved(node, "input")
    if x is None or x.dim() != 4 or saved._saved_transposed or saved._saved_groups != 1:
        return None
    positions = math.prod(edge_shape(GradientEdge(node, 0))) // len(weight)
    if not _gains(positions, weight):
        return None
    patches = F.unfold(x, weight.shape[2:], saved._saved_dilation, saved._saved_padding, saved._saved_stride)
    return _layer(node, weight, patches.mT.reshape(positions, -1))


def _layer(node: Node, weight: Tensor, A: Tensor) -> Compact | None:
    if A.dtype not in (torch.float32, torch.float64) or not _gains(len(A), weight):
        return None
    R = torch.linalg.qr(A.mT, mode="r").R
    return _Layer(GradientEdge(node, 0), A.detach(), R) if bool(R.isfinite().all()) else None


def _saved(node: Node, name: str) -> Tensor | None:
    """Return what a node keeps of its forward; None where that has been packed away.

    What activation checkpointing has dropped would be computed again, by running the user's code.
    """
    kept = getattr(getattr(node, f"_raw_saved_{name}", None), "data", None)
    return getattr(node, f"_saved_{name}") if isinstance(kept, Tensor) else None


def _gains(positions: int, weight: Tensor) -> bool:
    return LEAST_GAIN * positions <= min(len(weight), weight[0].numel())


def _embedding(node: Node, weight: Tensor) -> Compact | None:
    saved: Any = node
    indices = _saved(node, "indices")
    if indices is None or saved._saved_sparse or saved._saved_scale_grad_by_freq:
        return None
    indices = indices.reshape(-1)
    tokens, places = indices.unique(return_inverse=True)
    if LEAST_GAIN * len(tokens) > len(weight):
        return None
    return _Embedding(GradientEdge(node, 0), tokens, places, indices != saved._saved_padding_idx)


#: By the node of a layer: which of its arguments is the weight, and what makes of it fewer coordinates.
_LAYERS: _Layers = {"ConvolutionBackward0": (1, _convolution), "EmbeddingBackward0": (0, _embedding)}

#: A linear layer transposes its weight first.
_LAYERS_OF_TRANSPOSED: _Layers = {"AddmmBackward0": (2, _linear), "MmBackward0": (1, _linear)}


def _rows(D: Tensor) -> Tensor:
    """Return the gradient at what came out of a layer, `(N, C, …)`, with a row for every position."""
    return D.movedim(1, -1).reshape(-1, D.shape[1])
