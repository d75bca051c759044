"""LD506: a component that is computed and not used."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from ..config.schema import Schedule, weight_at
from ..records import Finding, Severity
from .base import Case, Rule, dotted


@dataclass(frozen=True)
class ZeroWeight(Rule):
    """A component is computed at every step with weight 0, so it costs time and changes nothing.

    Often a leftover of an ablation. Zero has to be meant, which only its author can know: a warning.

    Remedy: remove the component, or give it a weight. A component that is only watched can be logged outside the loss.
    """

    code: ClassVar[str] = "LD506"
    name: ClassVar[str] = "zero-weight"
    severity: ClassVar[Severity] = Severity.WARNING
    explains: ClassVar[tuple[str, ...]] = ("LD102", "LD104")

    def check(self, case: Case) -> Iterator[Finding]:
        """Yield a finding for every component whose weight is zero."""
        for objective, component in self._weightless(case):
            keys, location = case.locate_weight(objective, component)
            yield self.finding(
                [component],
                f"{component} has weight 0: it is computed at every step and changes nothing",
                objective=objective,
                evidence={"weight": 0.0},
                remedy=f"Remove it from the loss, or set {dotted(*keys)}.",
                location=location,
            )

    @staticmethod
    def _weightless(case: Case) -> Iterator[tuple[str, str]]:
        if case.gradients:
            for gradients in case.gradients:
                for name, weight in zip(gradients.components, gradients.weights, strict=True):
                    if weight == 0:
                        yield gradients.name, name
        else:
            for name, component in case.built_in.items():
                weight = component.weight
                if weight is not None and not isinstance(weight, Schedule) and weight_at(weight) == 0:
                    yield "total", name
