"""LD104: the loss value says something else than the gradient."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from ..records import ComponentReport, Finding, ObjectiveReport, Severity
from .base import Case, Rule, percent


class ValueMisleads(Rule):
    """A component's part of the loss value and its part of the gradient differ by more than ten times.

    Training follows gradients. A component may make up most of the number that is logged and hardly move the
    weights, or the other way round: a loss curve of such a total shows the wrong component. Healthy setups do this
    too (a detector's classification value of 1.13 with a gradient norm of 1.3, beside a box value of 0.66 with 11.0),
    so this is a note.

    Remedy: log and judge the components one by one; do not set weights by comparing values.

    Options: `factor` (10) between the two shares; `least_share` (0.01), below which both shares are too small to
    mislead anybody.
    """

    code: ClassVar[str] = "LD104"
    name: ClassVar[str] = "value-misleads"
    severity: ClassVar[Severity] = Severity.NOTE
    requires: ClassVar[tuple[str, ...]] = ("gradients",)

    factor: float = 10.0
    least_share: float = 0.01

    def check(self, case: Case) -> Iterator[Finding]:
        """Yield one finding for all such components of an objective."""
        for objective in case.objectives:
            if misleading := [component for component in objective.components if self._misleads(component)]:
                yield self._report(case, objective, misleading)

    def _misleads(self, component: ComponentReport) -> bool:
        value, gradient = component.value_share, component.grad_share
        if value is None or gradient is None or max(value, gradient) < self.least_share:
            return False
        return max(value, gradient) > self.factor * min(value, gradient)

    def _report(self, case: Case, objective: ObjectiveReport, components: list[ComponentReport]) -> Finding:
        parts = [
            f"{component.name} is {percent(component.value_share or 0)} of the value "
            f"and {percent(component.grad_share or 0)} of the gradient"
            for component in components
        ]
        return self.finding(
            [component.name for component in components],
            f"the loss value does not show what moves the weights: {'; '.join(parts)}",
            objective=objective.name,
            evidence={
                component.name: {"value_share": component.value_share, "grad_share": component.grad_share}
                for component in components
            },
            remedy="Judge the components one by one, not by the curve of the total.",
            location=case.locate("loss"),
        )
