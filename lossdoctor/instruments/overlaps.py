"""Recognising overlaps: Σ p·t over something that Σ p is in, as Dice, Jaccard and Tversky have it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from torch import Tensor

from .comparisons import AFFINE, PICKING, REDUCTIONS, RESHAPING

if TYPE_CHECKING:
    from .trace import Event

DIVISIONS = frozenset({"div", "divide", "true_divide", "truediv", "rtruediv", "rdiv"})

#: Products, and those that sum up what they multiply.
_PRODUCTS = frozenset({"mul", "multiply", "dot", "einsum", "inner"})
_SUMMING = _PRODUCTS - {"mul", "multiply"}

#: What keeps a sum of products one, or a floor below it.
_LINEAR = AFFINE | REDUCTIONS | RESHAPING | PICKING | {"clamp", "clamp_min", "diag", "diagonal"}


def product_of(name: str, inputs: list[Tensor]) -> tuple[Tensor, Tensor] | None:
    """Return the factors of a product of a prediction with data, the prediction first; None of anything else."""
    if name not in _PRODUCTS or len(inputs) != 2 or math.prod(inputs[0].shape) == 1 or math.prod(inputs[1].shape) == 1:
        return None
    prediction, data = sorted(inputs, key=lambda tensor: not tensor.requires_grad)
    return (prediction, data) if prediction.requires_grad and not data.requires_grad else None


def overlap_of(division: Event, maker: Callable[[Tensor], Event | None]) -> tuple[Tensor, Tensor] | None:
    """Return the prediction and the data whose overlap a division gives; None where it gives something else.

    The numerator is linear in the sum of their products, and the denominator in a sum of the prediction: it vanishes
    somewhere, unless the prediction is never negative.
    """
    if division.name not in DIVISIONS or len(division.inputs) != 2:
        return None
    numerator, denominator = division.inputs
    elements = math.prod(numerator.result_shape)
    for event in _linear(numerator):
        if event.product is None or not _is_summed(event, elements):
            continue
        predicted = _source(maker(event.product[0]))
        if predicted is not None and any(other is predicted for other in _linear(denominator)):
            return event.product
    return None


def _is_summed(product: Event, elements: int) -> bool:
    """Whether what is left of a product, as so many elements, are sums over it."""
    return product.name in _SUMMING or math.prod(product.result_shape) > elements


def _linear(start: Event) -> Iterator[Event]:
    """Yield an event and all that it was computed from by linear operations."""
    pending, seen = [start], {id(start)}
    while pending:
        event = pending.pop()
        yield event
        if not event.in_model and (event.name in _LINEAR or event.product is not None):
            new = [other for other in event.inputs if id(other) not in seen]
            seen.update(map(id, new))
            pending += new


def _source(event: Event | None) -> Event | None:
    """Return what a tensor is, behind a change of its layout or a constant factor."""
    while event is not None and not event.in_model and event.inputs and (event.name in RESHAPING or event.counts_alike):
        event = event.inputs[0]
    return event
