"""LD406: logits in the place of probabilities."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from ..records import Finding, Severity
from .base import Case, Rule
from .occurrences import Occurrence, occurrences
from .origins import is_layer, made_by, operations_before

if TYPE_CHECKING:
    from ..facts.operands import Operand, Operation

#: How far rounding in half precision may carry a probability below 0.
_ROUNDING = 0.01

_CLAMPS = frozenset({"clamp", "clip", "hardtanh", "clamp_min", "clamp_max"})


@dataclass(frozen=True)
class ClampedLogits:
    """Logits that were cut down to [0, 1] for a loss of probabilities."""

    clamp: str
    layer: str
    given: Operand = field(compare=False)


@dataclass(frozen=True)
class OverlapOfLogits:
    """Logits in a Dice, Jaccard or Tversky loss."""

    made_by: str
    given: Operand = field(compare=False)


class LogitsAsProbabilities(Rule):
    """A loss of probabilities is given the output of a layer, not turned into probabilities.

    An overlap (Dice, Jaccard, Tversky) is Σ p·t over a sum that Σ p is part of. Of probabilities it lies between 0 and
    1. Logits are negative and positive, so that the denominator passes zero: the loss jumps from 1e12 to −1e12 there,
    has no minimum, and erases whatever stands beside it. Recognised by the quotient, whatever function computes it, and
    by a prediction that leaves [0, 1] where what it overlaps with does not.

    `binary_cross_entropy` takes probabilities and refuses anything outside [0, 1]. Clamping the output of the last
    layer silences it: every logit below 0 becomes the probability 0 and gets no gradient any more, and neither does
    any above 1. Half of an untrained network's outputs are stuck from the start.

    Recognised by what the input came through: a clamp, and straight before it a layer.

    Remedy: a sigmoid or softmax before an overlap; `binary_cross_entropy_with_logits` on the output of the layer, or a
    sigmoid in the place of the clamp.
    """

    code: ClassVar[str] = "LD406"
    name: ClassVar[str] = "logits-as-probabilities"
    severity: ClassVar[Severity] = Severity.ERROR
    requires: ClassVar[tuple[str, ...]] = ("gradients", "operations")
    explains: ClassVar[tuple[str, ...]] = ("LD101", "LD104", "LD301", "LD404", "LD502", "LD604", "LD701", "LD705")
    overshadows: ClassVar[tuple[str, ...]] = ("LD102", "LD104")

    def check(self, case: Case) -> Iterator[Finding]:
        """Yield a finding for every loss of probabilities that is given clamped logits."""
        for found in occurrences(case, _clamped_logits):
            yield self._report(found)
        for overlap in occurrences(case, _overlap_of_logits):
            yield self._overlap(overlap)

    def _overlap(self, found: Occurrence[OverlapOfLogits]) -> Finding:
        given = found.cause.given.overall
        return self.finding(
            found.components,
            f"{found.does('take')} the overlap of a mask with logits ({given.minimum:.3g} … {given.maximum:.3g}) in "
            "place of probabilities: the sum that it divides by can vanish and change its sign",
            objective=found.objective,
            evidence={"input": [given.minimum, given.maximum], "made_by": found.cause.made_by},
            remedy="Apply a sigmoid (one class or several that do not exclude each other) or a softmax before it.",
            location=found.location,
        )

    def _report(self, found: Occurrence[ClampedLogits]) -> Finding:
        cause, given = found.cause, found.cause.given.overall
        return self.finding(
            found.components,
            f"{found.does('give')} binary_cross_entropy the output of a layer ({cause.layer}) that "
            f"{cause.clamp} cuts down to {given.minimum:.3g} … {given.maximum:.3g}: logits outside get no gradient",
            objective=found.objective,
            evidence={"came_through": [cause.clamp, cause.layer], "input": [given.minimum, given.maximum]},
            remedy="Use binary_cross_entropy_with_logits on the output of the layer, or sigmoid in place of the clamp.",
            location=found.location,
        )


def _overlap_of_logits(operation: Operation) -> OverlapOfLogits | None:
    if operation.name != "overlap":
        return None
    given, mask = operation.operands
    is_mask = mask.overall.minimum >= 0 and mask.overall.maximum <= 1
    leaves = given.overall.minimum < -_ROUNDING  # a prediction that is never negative has no pole
    return OverlapOfLogits(made_by(given), given) if is_mask and leaves else None


def _clamped_logits(operation: Operation) -> ClampedLogits | None:
    if operation.name != "binary_cross_entropy":
        return None
    given = next((operand for operand in operation.operands if operand.name == "input"), None)
    if given is None or not given.requires_grad:
        return None
    clamp, layer = (*operations_before(given), "", "")[:2]
    return ClampedLogits(clamp, layer, given) if clamp in _CLAMPS and is_layer(layer) else None
