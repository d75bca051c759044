"""Which torch functions compare tensors, carry a difference on, or leave torch altogether."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn import _reduction

Function = Callable[..., Any]

#: The functional losses of torch, and the parameters that hold their operands.
LOSSES: Mapping[Function, tuple[str, ...]] = {
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
    F.triplet_margin_with_distance_loss: ("anchor", "positive", "negative"),
    torch.dist: ("input", "other"),
    Tensor.dist: ("input", "other"),
    torch.cdist: ("x1", "x2"),
}

SUBTRACTIONS = frozenset(
    {torch.sub, torch.subtract, torch.rsub, Tensor.sub, Tensor.__sub__, Tensor.__rsub__, Tensor.subtract}
)

#: Residuals are often written as sums, u_xx + f. Where the shapes differ, the sum says what was compared with what.
ADDITIONS = frozenset({torch.add, Tensor.add, Tensor.__add__, Tensor.__radd__})

#: What turns a difference into a distance, by the name that the comparison is given.
DISTANCES: Mapping[str, frozenset[Function]] = {
    "squared difference": frozenset({torch.square, Tensor.square}),
    "absolute difference": frozenset({torch.abs, torch.absolute, Tensor.abs, Tensor.absolute, Tensor.__abs__}),
    "norm of a difference": frozenset(
        {torch.norm, Tensor.norm, torch.linalg.norm, torch.linalg.vector_norm, torch.linalg.matrix_norm}
    ),
}
POWERS = frozenset({torch.pow, Tensor.pow, Tensor.__pow__, torch.float_power, Tensor.float_power})
PRODUCTS = frozenset(
    {torch.mul, torch.multiply, Tensor.mul, Tensor.multiply, Tensor.__mul__, torch.dot, Tensor.dot, torch.inner}
)

#: Operations that only lay out the same elements anew.
RESHAPING = frozenset(
    """
    view view_as reshape reshape_as squeeze unsqueeze permute transpose t T mT contiguous flatten ravel unflatten
    movedim moveaxis swapaxes swapdims to float double half bfloat16 type type_as cpu cuda clone alias
    """.split()  # noqa: SIM905 - eighty quotation marks would not make it easier to read
)

#: Operations that put tensors side by side.
JOINING = frozenset({"stack", "cat", "concat", "concatenate", "hstack", "vstack"})

#: Operations that pick or copy elements: what they give is, value by value, what they got.
PICKING = JOINING | frozenset(
    """
    getitem chunk split split_with_sizes tensor_split unbind narrow select expand expand_as repeat index_select gather
    masked_select take_along_dim requires_grad detach data
    """.split()  # noqa: SIM905
)

#: Operations that scale or shift every element, by a number or by a tensor of weights.
AFFINE = frozenset(
    "mul multiply rmul div divide true_divide truediv neg negative add radd sub subtract rsub".split()  # noqa: SIM905
)

#: Activations that are meant for logits.
ACTIVATIONS = frozenset({"sigmoid", "softmax", "log_softmax", "logsigmoid", "hardsigmoid"})

#: Activations that give probabilities.
PROBABILITIES = frozenset({"sigmoid", "softmax", "hardsigmoid"})

#: Operations that give every element a weight of its own, zero where it is masked.
WEIGHTING = frozenset({"mul", "multiply", "rmul"})

REDUCTIONS = frozenset({"mean", "sum"})

#: Functions that hand the numbers of a tensor to Python or NumPy, where no gradient follows.
ESCAPES = frozenset({"item", "tolist", "numpy", "array", "float", "int"})


def name_of(function: Function) -> str:
    """Return the name of a torch function as users write it: "sub" for `a - b` and `a.sub_(b)`, "T" for `a.T`."""
    name = getattr(function, "__name__", "")
    if name == "__get__":
        name = getattr(getattr(function, "__self__", None), "__name__", "")
    return name.strip("_") or str(function)


def operands_of(function: Function, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Tensor]:
    """Return the operands of a functional loss by name."""
    bound = _bound(function, args, kwargs)
    return {name: bound[name] for name in LOSSES[function] if isinstance(bound.get(name), Tensor)}


def arguments_of(function: Function, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """Return the plain arguments of a functional loss (reduction and the like), defaults included."""
    bound = _bound(function, args, kwargs)
    legacy = bound.pop("size_average", None), bound.pop("reduce", None)
    plain = {name: value for name, value in bound.items() if isinstance(value, (str, int, float, bool))}
    if legacy != (None, None):
        plain["reduction"] = _reduction.legacy_get_string(*legacy, emit_warning=False)
    return plain


def _bound(function: Function, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any]:
    try:
        # torch's own code has filled in the defaults already
        return inspect.signature(function).bind(*args, **kwargs).arguments
    except (TypeError, ValueError):  # implemented in C: no signature to read
        return dict(zip(LOSSES[function], args, strict=False)) | dict(kwargs)


def distance_of(function: Function, args: tuple[Any, ...], kwargs: Mapping[str, Any], *, of_itself: bool) -> str | None:
    """Return the kind of distance that a function makes of a difference, None where it makes none.

    `of_itself` says that everything it was given is that one difference.
    """
    if function in POWERS:
        exponent = args[1] if len(args) > 1 else kwargs.get("exponent")
        return "squared difference" if not isinstance(exponent, Tensor) and exponent == 2 else None
    if function in PRODUCTS:
        return "squared difference" if of_itself else None
    return next((kind for kind, functions in DISTANCES.items() if function in functions), None)


def factor_of(name: str, args: tuple[Any, ...]) -> float:
    """Return the largest factor by which a call scales its first argument: the range of a channel, say, divides it.

    1 where it does not scale, or by more than one factor for each of 64 channels: those are weights.
    """
    if name not in ("mul", "multiply", "div", "divide", "true_divide", "truediv") or len(args) < 2:
        return 1.0
    factor = args[1]
    if isinstance(factor, Tensor):
        if factor.requires_grad or not 0 < factor.numel() <= 64:
            return 1.0
        magnitudes = factor.detach().abs()
        factor = float(magnitudes.amax() if "mul" in name else magnitudes.amin())
    if not isinstance(factor, (int, float)) or not factor:
        return 1.0
    return abs(factor) if "mul" in name else 1 / abs(factor)
