"""LD601: NaN or infinity in the value."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from ..records import Finding, Severity
from .base import Case, Rule
from .non_finite import culprit, has_finite_values, place


class NonFiniteValue(Rule):
    """A component is NaN or infinite, and with it the total and every gradient.

    The finding names the first operation that turned finite inputs into something else: a logarithm of zero, a
    division by an empty count, an overflow in half precision. None is named where the data was not finite to begin
    with.

    Remedy: guard the operation itself (`log(x + eps)`, `/ n.clamp(min=1)`), not its result: `nan_to_num` hides the
    value and leaves the gradient NaN.
    """

    code: ClassVar[str] = "LD601"
    name: ClassVar[str] = "non-finite-value"
    severity: ClassVar[Severity] = Severity.ERROR
    requires: ClassVar[tuple[str, ...]] = ("gradients",)
    explains: ClassVar[tuple[str, ...]] = ("LD101", "LD102", "LD104", "LD502", "LD602", "LD703")
    overshadows: ClassVar[tuple[str, ...]] = ("LD101", "LD102", "LD104")

    def check(self, case: Case) -> Iterator[Finding]:
        """Yield a finding for every component whose value is not finite."""
        for gradients in case.gradients:
            for k, name in enumerate(gradients.components):
                values = [batch[k] for batch in gradients.values]
                if has_finite_values(gradients, k):
                    continue
                anomaly = culprit(case, gradients.name, name, "value")
                seen = ["absent" if value is None else f"{value:.4g}" for value in values]
                made = f", first made by {anomaly.operation}" if anomaly and anomaly.operation else ""
                yield self.finding(
                    [name],
                    f"{name} is not finite ({', '.join(seen)} over the batches){made}: "
                    "the total and its gradient are lost",
                    objective=gradients.name,
                    evidence={"values": seen, "operation": anomaly.operation if anomaly else None},
                    remedy="Guard the operation that makes it (log(x + eps), a count clamped to at least 1), "
                    "not its result.",
                    location=place(case, anomaly, name),
                )
