"""LD506: a component that is computed and not used."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from ..config.keys import dotted
from ..records import Finding, Severity
from .base import Case, Rule


class ZeroWeight(Rule):
    """A component is computed at every step with weight 0, so it costs time and changes nothing.

    Often a leftover of an ablation. Zero has to be meant, which only its author can know: a warning. A schedule that
    passes through 0 or ends there is meant.

    Remedy: remove the component, or give it a weight. A component that is only watched can be logged outside the loss.
    `lossdoctor fix` takes a built-in component out: what is trained stays the same.
    """

    code: ClassVar[str] = "LD506"
    name: ClassVar[str] = "zero-weight"
    severity: ClassVar[Severity] = Severity.WARNING
    settled_by: ClassVar[tuple[str, ...]] = ("measurement", "config")
    explains: ClassVar[tuple[str, ...]] = ("LD102", "LD104")

    def check(self, case: Case) -> Iterator[Finding]:
        """Yield a finding for every component whose weight is zero."""
        for objective, component in self._weightless(case):
            if case.schedule(objective, component):
                continue
            key = dotted(case.weight_key(objective, component))
            yield self.finding(
                [component],
                f"{component} has weight 0: it is computed at every step and changes nothing",
                objective=objective,
                evidence={"weight": 0.0},
                remedy=f"Remove it from the loss, or set {key}." if case.config else "Remove it, or give it a weight.",
                fix=case.removal_fix(component),
                location=case.locate_weight(objective, component),
            )

    @staticmethod
    def _weightless(case: Case) -> Iterator[tuple[str, str]]:
        """Yield (objective, component) of what was measured with weight 0, or of what the config gives it."""
        if case.gradients:
            for gradients in case.gradients:
                for name, weight in zip(gradients.components, gradients.weights, strict=True):
                    if weight == 0:
                        yield gradients.name, name
        elif case.config:
            names = case.built_in or case.config.loss.weights
            yield from (("total", name) for name in names if case.declared_weight("total", name) == 0)
