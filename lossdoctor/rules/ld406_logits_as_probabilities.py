"""LD406: logits in the place of probabilities."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import ClassVar

from ..records import Finding, Operand, Operation, Severity
from .base import Case, Rule
from .occurrences import Occurrence, occurrences
from .origins import is_layer, operations_before

_CLAMPS = frozenset({"clamp", "clip", "hardtanh", "clamp_min", "clamp_max"})


@dataclass(frozen=True)
class ClampedLogits:
    """Logits that were cut down to [0, 1] for a loss of probabilities."""

    clamp: str
    layer: str
    given: Operand = field(compare=False)


@dataclass(frozen=True)
class LogitsAsProbabilities(Rule):
    """A loss of probabilities is given the output of a layer, cut down to [0, 1] and not turned into probabilities.

    `binary_cross_entropy` takes probabilities and refuses anything outside [0, 1]. Clamping the output of the last
    layer silences it: every logit below 0 becomes the probability 0 and gets no gradient any more, and neither does
    any above 1. Half of an untrained network's outputs are stuck from the start.

    Recognised by what the input came through: a clamp, and straight before it a layer.

    Remedy: `binary_cross_entropy_with_logits` on the output of the layer, or a sigmoid in the place of the clamp.
    """

    code: ClassVar[str] = "LD406"
    name: ClassVar[str] = "logits-as-probabilities"
    severity: ClassVar[Severity] = Severity.ERROR
    requires: ClassVar[tuple[str, ...]] = ("gradients", "operations")
    explains: ClassVar[tuple[str, ...]] = ("LD301", "LD404", "LD502", "LD701", "LD705")

    def check(self, case: Case) -> Iterator[Finding]:
        """Yield a finding for every loss of probabilities that is given clamped logits."""
        for found in occurrences(case, _clamped_logits):
            yield self._report(found)

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


def _clamped_logits(operation: Operation) -> ClampedLogits | None:
    if operation.name != "binary_cross_entropy":
        return None
    given = next((operand for operand in operation.operands if operand.name == "input"), None)
    if given is None or not given.requires_grad:
        return None
    clamp, layer = (*operations_before(given), "", "")[:2]
    return ClampedLogits(clamp, layer, given) if clamp in _CLAMPS and is_layer(layer) else None
