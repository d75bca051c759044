"""LD602: a finite value with a gradient that is not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from ..records import Finding, Severity
from .base import Case, Rule
from .non_finite import culprit, has_finite_gradients, has_finite_values, place


class NonFiniteGradient(Rule):
    """A component's value is finite, its gradient is NaN or infinite: one step destroys the weights.

    Usual causes: `sqrt` of exactly zero, a hand-written norm of a zero vector, `acos` at ±1, `0 · log 0`, and
    `torch.where` that picks the safe branch of the value while the other branch's NaN still enters the gradient.

    The finding names the backward operation that first turned finite gradients into something else.

    Remedy: keep the singular point out of the operation: `sqrt(x + eps)`, `acos(x.clamp(-1 + eps, 1 - eps))`, and with
    `where` replace the input before the operation, not the output after it.
    """

    code: ClassVar[str] = "LD602"
    name: ClassVar[str] = "non-finite-gradient"
    severity: ClassVar[Severity] = Severity.ERROR
    requires: ClassVar[tuple[str, ...]] = ("gradients",)
    explains: ClassVar[tuple[str, ...]] = ("LD102", "LD104", "LD701", "LD703", "LD705")
    overshadows: ClassVar[tuple[str, ...]] = ("LD104",)

    def check(self, case: Case) -> Iterator[Finding]:
        """Yield a finding for every component with finite values and a gradient that is not."""
        for gradients in case.gradients:
            for k, name in enumerate(gradients.components):
                if not has_finite_values(gradients, k) or has_finite_gradients(gradients, k):
                    continue
                anomaly = culprit(case, gradients.name, name, "gradient")
                made = f", first made by the backward of {anomaly.operation}" if anomaly and anomaly.operation else ""
                yield self.finding(
                    [name],
                    f"the value of {name} is finite, its gradient is not{made}: "
                    "one step makes every weight it reaches NaN",
                    objective=gradients.name,
                    evidence={
                        "values": [batch[k] for batch in gradients.values],
                        "operation": anomaly.operation if anomaly else None,
                    },
                    remedy="Keep the singular point out of the operation: an eps inside sqrt, norm or log, "
                    "a clamp inside acos, and a safe input (not output) for torch.where.",
                    location=place(case, anomaly, name),
                )
