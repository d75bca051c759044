"""Recognising quantities that wrap around: hues and angles."""

from __future__ import annotations

import math
import re
from itertools import takewhile
from typing import TYPE_CHECKING

from .distances import data_side
from .origins import is_layer, made_by

if TYPE_CHECKING:
    from ..facts.operands import Operand, Operation

#: A conversion to a space whose first channel is a hue, or away from one, by the name of the function that does it.
_TO_HUE = re.compile(r"(?:to|2)_?(?:hsv|hls|hsl|hsi)", re.IGNORECASE)
_FROM_HUE = re.compile(r"(?:hsv|hls|hsl|hsi)_?(?:to|2)", re.IGNORECASE)

#: Operations that give an angle with a cut at ±π, and the half turn in their unit.
_ANGLES = {"atan2": math.pi, "arctan2": math.pi, "angle": math.pi, "rad2deg": 180.0}

#: Full turns, as least and greatest value of what is measured in them.
_TURNS = ((-math.pi, math.pi), (0.0, 2 * math.pi), (-180.0, 180.0), (0.0, 360.0))

#: Quantities that go round, as components are named after them, and angles of joints, which do not.
_ROUND = re.compile(
    r"(?:^|[_.\W])(?:yaw|heading|azimuth|bearing|hue|angle|orientation|wind_dir\w*)s?(?:$|[_\W])", re.IGNORECASE
)
_WITH_A_STOP = re.compile(r"joint|knee|elbow|hip|pitch|incidence|steer", re.IGNORECASE)

#: Part of a turn that angles have to span: a dozen of uniform ones do three times in four (the span of n has a Beta
#: distribution, n − 1 and 2), and those of a narrow sector, in which nothing wraps around, do not.
_MOST = 0.8

#: How near to both ends of a turn data have to come: nothing else ends exactly there.
_NEAR = 0.02


def circular_quantity(operation: Operation) -> str | None:
    """Return what wraps around in a comparison: "a hue", "an angle"; None where nothing is known to."""
    data = data_side(operation)
    if any(_is_hue(operand) for operand in operation.operands) and _holds_hue(data or operation.operands[0]):
        return "a hue"
    if data is None:
        return None
    halves = [_ANGLES[name] for operand in operation.operands if (name := made_by(operand)) in _ANGLES]
    if halves and data.overall.maximum - data.overall.minimum > halves[0]:
        return "an angle"
    named = all(map(_is_named_round, operation.components))
    return "an angle" if _fills_a_turn(data) or (named and _spans_most_of_a_turn(data)) else None


def _is_named_round(component: str) -> bool:
    return bool(_ROUND.search(component)) and not _WITH_A_STOP.search(component)


def _spans_most_of_a_turn(data: Operand) -> bool:
    """Whether data stay within a turn and use most of it."""
    values = data.overall
    return any(
        least - 1e-3 <= values.minimum
        and values.maximum <= most + 1e-3
        and values.maximum - values.minimum >= _MOST * (most - least)
        for least, most in _TURNS
    )


def _is_hue(operand: Operand) -> bool:
    """Whether an operand came out of a conversion to a space with a hue, and was not unwrapped since."""
    own = takewhile(lambda name: not (operand.requires_grad and is_layer(name)), operand.origin)
    for name in own:
        if name in ("cos", "sin") or _FROM_HUE.search(name):
            return False
        if _TO_HUE.search(name):
            return True
    return False


def _holds_hue(operand: Operand) -> bool:
    """Whether the channels of a space with a hue include it, with values of its own: never below 0.

    All three do. Of fewer, a hue in radians or degrees goes beyond 1, where saturation and lightness end.
    """
    if operand.overall.minimum == operand.overall.maximum:
        return False
    if len(operand.channels) == 3:
        return operand.channels[0].minimum >= -_NEAR
    if operand.shape[-1:] == (3,):
        return operand.overall.minimum >= -_NEAR
    return operand.overall.minimum >= -_NEAR and operand.overall.maximum > 1 + _NEAR


def _fills_a_turn(data: Operand) -> bool:
    """Whether data of one quantity spread over a full turn and end where it ends, both sides."""
    values = data.overall
    several = len(data.shape) > 1 and len(data.channels) != 1
    return not several and any(
        least - 1e-3 <= values.minimum <= least + _NEAR * (most - least)
        and most - _NEAR * (most - least) <= values.maximum <= most + 1e-3
        and values.std > 0.2 * (most - least)
        for least, most in _TURNS
    )
