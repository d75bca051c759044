"""LD603: sound in fp32, lost in half precision."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from itertools import groupby
from typing import TYPE_CHECKING, Any, ClassVar

from ..records import Finding, Severity
from .base import Case, Rule, listing

if TYPE_CHECKING:
    from ..facts.probes import HalfPrecision

#: The largest number of fp16, and half of its smallest: what is below that is rounded to zero.
LARGEST, SMALLEST = 65504.0, 2.0**-25


class HalfPrecisionHazard(Rule):
    """A component is finite in fp32 and overflows or underflows in half precision.

    fp16 ends at 65504: a sum over an image, a square of pixels up to 255, an exponential of 12 are infinite. It ends at
    6e-8 at the other side: an eps of 1e-8 is zero there, and a division that it guards is NaN. bf16 has the range of
    fp32 and 8 bits: an eps of 1e-3 beside a 1 is lost, and with it the margin of a logarithm or of `acos`. What fails
    in fp16 alone fails for its range, what fails in both for its precision; the finding says which.

    The loss is run on one batch under autocast in fp16 and in bf16 as training would run it, with whatever the user's
    code casts itself, and its gradient is taken at the model's output; in fp16 scaled as by a GradScaler, at 65536 or
    less. On a CPU, matrix products of fp16 are computed in fp32 and rounded, which is what a GPU does.

    An error where the loss is trained in that precision (`measure.precision`, `--precision`), else a note: nobody need
    ever turn it on.

    Remedy: compute the operation in fp32 (`with torch.autocast(device, enabled=False)`, operands `.float()`), take a
    mean in place of a sum, scale the values, or use an eps that the precision can hold (1e-3 for bf16 beside 1, 1e-6
    for fp16 beside 0). Or train in another precision: bf16, if that holds every component, else fp32.
    """

    code: ClassVar[str] = "LD603"
    name: ClassVar[str] = "half-precision-hazard"
    severity: ClassVar[Severity] = Severity.ERROR
    requires: ClassVar[tuple[str, ...]] = ("gradients", "half_precision")
    explains: ClassVar[tuple[str, ...]] = ("LD102", "LD104", "LD502", "LD601", "LD602", "LD605")
    overshadows: ClassVar[tuple[str, ...]] = ("LD101", "LD104")

    def check(self, case: Case) -> Iterator[Finding]:
        """Yield a finding for every component and level: errors for what is configured, notes for what is not."""
        facts = (case.examination.half_precision if case.examination else None) or ()
        weights = {(o.name, c.name): c.weight for o in case.objectives for c in o.components}

        def group(fact: HalfPrecision) -> tuple[str, str, bool]:
            return fact.objective, fact.component, fact.configured

        for (objective, component, _), group_facts in groupby(sorted(facts, key=group), group):
            if weights.get((objective, component)):
                yield self._report(case, list(group_facts), sound=_sound_precision(facts))

    def _report(self, case: Case, facts: list[HalfPrecision], sound: str) -> Finding:
        first = facts[0]
        precisions = listing([fact.precision for fact in facts])
        made = f", first made by {first.operation}" if first.operation else ""
        problem = "is zero" if first.problem == "zero" else "is NaN or infinite"
        why = "range" if first.by_range else "precision"
        evidence: dict[str, Any] = {
            "precisions": {fact.precision: f"{fact.where} {fact.problem}" for fact in facts},
            "reason": why,
            "operation": first.operation,
        }
        if first.largest_result is not None:
            evidence["largest_result"] = first.largest_result
        if first.problem == "zero":
            evidence["largest_gradient"] = first.largest_gradient
        return self.finding(
            [first.component],
            f"the {first.where} of {first.component} is sound in fp32 and {problem} in {precisions}{made}: "
            f"{_reason(first, why)}",
            objective=first.objective,
            severity=Severity.ERROR if first.configured else Severity.NOTE,
            evidence=evidence,
            remedy="Compute it in fp32 (operands .float(), autocast switched off around it), take a mean in place of "
            "a sum, or use an eps that the precision can hold"
            + (f"; or train in {sound}, where every component is sound." if first.configured else "."),
            fix={"measure.precision": sound} if first.configured and case.config else None,
            location=first.location or case.locate_component(first.component),
        )


def _sound_precision(facts: Collection[HalfPrecision]) -> str:
    """Return the fastest precision in which nothing fails."""
    return "fp32" if any(fact.precision == "bf16" for fact in facts) else "bf16"


def _reason(fact: HalfPrecision, why: str) -> str:
    if fact.problem == "zero" and fact.largest_gradient is not None:
        return f"its largest element is {fact.largest_gradient:.2g}, too small for the {why}"
    if fact.largest_result is not None and fact.largest_result > LARGEST and fact.precision == "fp16":
        return f"its result is {fact.largest_result:.3g} and fp16 ends at {LARGEST:.0f}"
    if why == "range":
        return f"something on the way leaves the range of fp16, {SMALLEST * 2:.1g} to {LARGEST:.0f}"
    return "something on the way needs more digits than half precision has"
