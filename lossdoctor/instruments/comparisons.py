"""Which operations compare tensors, and what their operands are called."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

#: The functional losses of torch, and the parameters that hold their operands.
LOSSES: Mapping[Callable[..., Any], tuple[str, ...]] = {
    F.mse_loss: ("input", "target"),
    F.l1_loss: ("input", "target"),
    F.smooth_l1_loss: ("input", "target"),
    F.huber_loss: ("input", "target"),
    F.cross_entropy: ("input", "target"),
    F.nll_loss: ("input", "target"),
    F.binary_cross_entropy: ("input", "target"),
    F.binary_cross_entropy_with_logits: ("input", "target"),
    F.kl_div: ("input", "target"),
    F.poisson_nll_loss: ("input", "target"),
    F.gaussian_nll_loss: ("input", "target", "var"),
    F.soft_margin_loss: ("input", "target"),
    F.multi_margin_loss: ("input", "target"),
    F.multilabel_margin_loss: ("input", "target"),
    F.multilabel_soft_margin_loss: ("input", "target"),
    F.hinge_embedding_loss: ("input", "target"),
    F.ctc_loss: ("log_probs", "targets"),
    F.cosine_similarity: ("x1", "x2"),
    F.pairwise_distance: ("x1", "x2"),
    F.cosine_embedding_loss: ("input1", "input2", "target"),
    F.margin_ranking_loss: ("input1", "input2", "target"),
    F.triplet_margin_loss: ("anchor", "positive", "negative"),
    torch.dist: ("input", "other"),
    torch.cdist: ("x1", "x2"),
}

#: Where the signature cannot be read, because the function is implemented in C.
_POSITIONS = {
    torch.cosine_similarity: ("x1", "x2"),
    torch.dist: ("input", "other"),
    torch.cdist: ("x1", "x2"),
}

SUBTRACTIONS = frozenset(
    {torch.sub, torch.subtract, torch.rsub, Tensor.sub, Tensor.__sub__, Tensor.__rsub__, Tensor.subtract}
)

SQUARES = frozenset(
    {
        torch.square,
        Tensor.square,
        torch.pow,
        Tensor.pow,
        Tensor.__pow__,
        torch.mul,
        Tensor.mul,
        Tensor.__mul__,
    }
)
MAGNITUDES = frozenset(
    {
        torch.abs,
        Tensor.abs,
        Tensor.__abs__,
        torch.norm,
        Tensor.norm,
        torch.linalg.norm,
        torch.linalg.vector_norm,
    }
)

#: Operations that only rearrange or copy elements: what they give is, value by value, what they got.
REARRANGING = frozenset(
    "__getitem__ view view_as reshape reshape_as squeeze unsqueeze permute transpose t mT contiguous to float double half bfloat16 "
    "type type_as cpu cuda clone flatten unflatten chunk split split_with_sizes tensor_split unbind narrow select expand "
    "expand_as repeat movedim moveaxis swapaxes requires_grad_ detach stack cat concat concatenate index_select gather".split()
)


def operands_of(function: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Tensor]:
    """Return the operands of a functional loss by name."""
    bound = _bound(function, args, kwargs)
    return {name: bound[name] for name in LOSSES[function] if isinstance(bound.get(name), Tensor)}


def arguments_of(function: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """Return the plain arguments of a functional loss (reduction and the like), defaults included."""
    bound = _bound(function, args, kwargs)
    plain = {name: value for name, value in bound.items() if isinstance(value, (str, int, float, bool))}
    return {name: value for name, value in plain.items() if name not in ("size_average", "reduce")}


def _bound(function: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any]:
    try:
        bound = inspect.signature(function).bind(*args, **kwargs)
    except (TypeError, ValueError):
        return dict(zip(LOSSES[function], args, strict=False)) | dict(kwargs)
    bound.apply_defaults()
    return dict(bound.arguments)
