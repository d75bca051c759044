"""LD202: prediction and target in different ranges."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from ..records import Finding, Severity
from .activations import BoundedPrediction, bounded_predictions, describe_support
from .base import Case, Rule
from .color_operands import describe_channels
from .color_scales import ColorMismatch, color_mismatch
from .occurrences import Occurrence, occurrences

if TYPE_CHECKING:
    from ..facts.statistics import Statistics

#: Fewer elements than this may lie on one side of zero by chance.
_FEWEST = 16

#: How near to the ends of [0, 1] data have to come, and how far beyond resizing may carry them.
_MARGIN = 0.1


@dataclass(frozen=True)
class OtherRange:
    """Data that have one of the usual ranges, and not that of the activation."""

    activation: str
    consequence: str
    remedy: str
    seen: BoundedPrediction = field(compare=False)


class RangeMismatch(Rule):
    """Prediction and target are scaled differently, so the same number does not mean the same on both sides.

    Three forms. The output ends in tanh, which gives -1 to 1, and the data lie in [0, 1]: half of the output's range
    is never wanted, and white is where tanh is flat. The output ends in sigmoid, tanh or softmax and the images run to
    255: nearly all of them are out of reach. Or a colour space is in its own units on one side and scaled on the
    other: L to 100 and to 1, or float LAB (a and b around 0) and 8-bit LAB (around 128).

    Judged by what the last operation before the comparison can give, and by the range of the data; never by what an
    untrained linear layer happens to put out. A rescaled output, (tanh + 1) / 2, is fine, and so are data that reach
    below zero. Data count as [0, 1] where 16 values or more lie within and come near both ends.

    Remedy: scale the data to the range of the activation (2x - 1 for tanh), or the output to that of the data.
    """

    code: ClassVar[str] = "LD202"
    name: ClassVar[str] = "range-mismatch"
    severity: ClassVar[Severity] = Severity.ERROR
    requires: ClassVar[tuple[str, ...]] = ("gradients", "operations")
    explains: ClassVar[tuple[str, ...]] = ("LD201", "LD203", "LD606")

    def check(self, case: Case) -> Iterator[Finding]:
        """Yield a finding for every activation, and every colour space, whose data are scaled otherwise."""
        for mismatch in bounded_predictions(case, _other_range):
            yield self._activation(mismatch)
        for unlike in occurrences(case, color_mismatch):
            yield self._color(unlike)

    def _activation(self, found: Occurrence[OtherRange]) -> Finding:
        seen = found.cause.seen
        return self.finding(
            found.components,
            f"{found.does('compare')} the output of {seen.activation}, which gives "
            f"{describe_support(seen.activation)}, with data in {seen.target.minimum:.3g} … {seen.target.maximum:.3g}: "
            f"{found.cause.consequence}",
            objective=found.objective,
            evidence={
                "activation": seen.activation,
                "activation_range": describe_support(seen.activation),
                "prediction": [seen.prediction.minimum, seen.prediction.maximum],
                "target": [seen.target.minimum, seen.target.maximum],
            },
            remedy=found.cause.remedy,
            location=found.location,
        )

    def _color(self, found: Occurrence[ColorMismatch]) -> Finding:
        unlike = found.cause
        sides = {"prediction": unlike.prediction, "target": unlike.data}
        return self.finding(
            found.components,
            f"{found.does('compare')} {unlike.space.upper()} {unlike.prediction_scale} "
            f"with {unlike.space.upper()} {unlike.data_scale}: equal colours are far apart",
            objective=found.objective,
            evidence={side: describe_channels(unlike.space, channels) for side, channels in sides.items()},
            remedy="Convert and scale both sides with the same function.",
            location=found.location,
        )


def _other_range(seen: BoundedPrediction) -> OtherRange | None:
    """Return the range of the data where it is a usual one, and not that of the activation."""
    if seen.support == (-1, 1) and _fill_the_unit_range(seen.target) and math.prod(seen.shape) >= _FEWEST:
        return OtherRange(
            seen.activation,
            "the half below 0 is never wanted, and white is where the activation is flat",
            "Scale the data to [-1, 1] with 2 * x - 1, or the output to [0, 1] with (y + 1) / 2.",
            seen,
        )
    if seen.misses_8_bit_images:
        return OtherRange(
            seen.activation,
            "all that is not black is out of reach",
            "Scale the images to the range of the output when they are loaded, or the output by 255.",
            seen,
        )
    return None


def _fill_the_unit_range(data: Statistics) -> bool:
    """Whether data lie in [0, 1] and come near both ends; resizing carries some a little beyond."""
    return abs(data.minimum) < _MARGIN and abs(data.maximum - 1) < _MARGIN
