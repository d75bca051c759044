"""How a component changes with the result of a comparison inside it: ∂L/∂result.

Costs a backward per component through what lies between the comparison and the component, never through the model.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ..facts.operands import Slope
from ..setup.user_code import blaming
from .trace import Event, before

#: Operations that are flat beyond a margin when something is taken from it: relu(margin − distance).
_HINGES = frozenset({"relu", "clamp", "clip", "clamp_min", "clamp_max", "maximum", "minimum", "threshold"})
_FROM_A_MARGIN = frozenset({"sub", "subtract", "rsub", "neg", "negative"})

#: Operations that are flat far away by themselves: a kernel exp(−d²), softplus(margin − d).
_KERNELS = frozenset({"exp", "softplus", "sigmoid", "logsigmoid", "log_sigmoid", "logsumexp", "tanh"})

#: Operations that take no more than the shape of what they are given: the labels of a GAN.
_FILLED = re.compile(r"^(ones|zeros|full|rand|randn|randint|empty)_like$|^new_")

#: How far slopes that are the same may be apart by rounding, in half precision.
_ROUNDING = 2e-3


@dataclass
class SeenSlope:
    """The slope of a component in one batch, still on the device."""

    # (3,) least and greatest of the elements that are not zero, infinities where all are; whether some are.
    extremes: Tensor
    bounded: bool
    detached: bool


def see_slopes(scalar: Tensor, events: Sequence[Event], history: Sequence[Event]) -> dict[int, SeenSlope]:
    """Return how a component changes with the results of comparisons, by the id of the event.

    `history` are all events that the component was computed through. Only comparisons of something that carries
    gradient with something that does not are looked at. The graph is kept.
    """
    looked_at = [event for event in events if event.result is not None and has_target(event)]
    if not looked_at or not scalar.requires_grad:
        return {}
    results = [event.result for event in looked_at if event.result is not None]
    with blaming("differentiating the loss by its comparisons"), torch.autocast(scalar.device.type, enabled=False):
        gradients = torch.autograd.grad(scalar, results, retain_graph=True, allow_unused=True)
    bounded = _bounded(history)
    return {
        id(event): SeenSlope(_extremes(gradient), id(event) in bounded, _is_detached(event))
        for event, gradient in zip(looked_at, gradients, strict=True)
        if gradient is not None and gradient.numel()
    }


def has_target(event: Event) -> bool:
    """Return whether a comparison is one of something that carries gradient and of something that does not."""
    return {operand.requires_grad for operand in list(event.operands.values())[:2]} == {True, False}


def _is_detached(event: Event) -> bool:
    """Whether what something is compared with was detached from a graph: it is not given, but made by the model."""
    history = (earlier for maker in event.targets for earlier in before(maker, unless=_is_filled))
    return any(earlier.severed and not earlier.no_grad and not _is_filled(earlier) for earlier in history)


def _is_filled(event: Event) -> bool:
    return _FILLED.search(event.name) is not None


def _bounded(history: Sequence[Event]) -> set[int]:
    """Return the ids of the events whose results go on into something that is flat beyond a margin."""
    outside = [event for event in history if not event.in_model]
    margins = [
        event
        for hinge in outside
        if hinge.name in _HINGES
        for event in before(hinge)
        if event.name in _FROM_A_MARGIN and not event.in_model
    ]
    kernels = [event for event in outside if event.name in _KERNELS]
    return {id(event) for start in {id(e): e for e in (*margins, *kernels)}.values() for event in before(start)}


def _extremes(gradient: Tensor) -> Tensor:
    gradient = gradient.detach()
    zero = gradient == 0
    least, greatest = gradient.masked_fill(zero, torch.inf).amin(), gradient.masked_fill(zero, -torch.inf).amax()
    return torch.stack([least, greatest, zero.any().to(gradient.dtype)])


def join(batches: Iterable[SeenSlope]) -> Slope | None:
    """Return a slope over all batches, None where it is zero or not finite in any of them."""
    seen = list(batches)
    extremes = [slope.extremes.tolist() for slope in seen]
    moving = [(low, high) for low, high, _ in extremes if low <= high]
    if not moving or not all(abs(end) < torch.inf for ends in moving for end in ends):
        return None
    return Slope(
        minimum=min(low for low, _ in moving),
        maximum=max(high for _, high in moving),
        uniform=all(high - low <= _ROUNDING * max(abs(high), abs(low)) for low, high in moving),
        partial=any(partial for _, _, partial in extremes),
        bounded=any(slope.bounded for slope in seen),
        detached=any(slope.detached for slope in seen),
    )
