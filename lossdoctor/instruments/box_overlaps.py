"""Recognising overlaps of boxes and segments: what is between both upper and both lower ends, over a size."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from torch import Tensor

from .comparisons import PICKING, RESHAPING
from .overlaps import DIVISIONS

if TYPE_CHECKING:
    from .trace import Event

_LEAST, _GREATEST = frozenset({"minimum", "min", "fmin"}), frozenset({"maximum", "max", "fmax"})

#: What makes an area of the sides of an intersection.
_AREA = frozenset({"prod", "mul", "multiply", "clamp", "clamp_min", "clip", "relu", "setitem"}) | RESHAPING | PICKING

_DIFFERENCE = frozenset({"sub", "subtract"})


def extreme_of(name: str, inputs: list[Tensor]) -> tuple[Tensor, Tensor] | None:
    """Return a prediction and the data that it is compared with by taking the less or the greater; None of others."""
    if name not in _LEAST | _GREATEST or len(inputs) != 2 or math.prod(inputs[1].shape) == 1:
        return None
    prediction, data = sorted(inputs, key=lambda tensor: not tensor.requires_grad)
    return (prediction, data) if prediction.requires_grad and not data.requires_grad else None


def box_overlap_of(division: Event) -> tuple[Tensor, Tensor] | None:
    """Return the prediction and the data whose intersection is divided by something; None where it is none."""
    if division.name not in DIVISIONS or len(division.inputs) != 2:
        return None
    for event in _through(division.inputs[0], lambda event: event.name in _AREA):
        if event.name in _DIFFERENCE and len(event.inputs) == 2:
            upper, lower = (_picked_from(side) for side in event.inputs)
            if upper.name in _LEAST and lower.name in _GREATEST and upper.extreme and lower.extreme:
                return upper.extreme
    return None


def _through(start: Event, passes: Callable[[Event], bool]) -> Iterator[Event]:
    """Yield an event and what it was computed from, as far back as events let through."""
    pending, seen = [start], {id(start)}
    while pending:
        event = pending.pop()
        yield event
        if passes(event) and not event.in_model:
            new = [other for other in event.inputs if id(other) not in seen]
            seen.update(map(id, new))
            pending += new


def _picked_from(event: Event) -> Event:
    while event.name in RESHAPING | PICKING and event.inputs:
        event = event.inputs[0]
    return event
