"""LD702: the total falls at the expense of a component."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, ClassVar

from ..records import ComponentReport, Finding, ObjectiveReport, Severity
from .base import Case, Rule

if TYPE_CHECKING:
    from ..trial_records import TrajectoryPoint


class SacrificedComponent(Rule):
    """The total falls while a component rises.

    The curve of the total looks fine, and something that was wanted gets worse all the time: this component is paid
    with for what the others gain. That happens where it has too little of the gradient (LD102), where its gradient
    points against the others' (LD103), or where its sign is wrong. It is measured on the same batches before and
    after, so noise has no part in it. It counts where the last two measurements both lie above the first.

    A component that starts at its own minimum can only rise, and there is nothing wrong with that: the KL term of a
    VAE at the start, a penalty on weights that are still small. Such a component has hardly a gradient at the start
    compared with later. Regularizers, weights of 0, and objectives that play against each other (GANs) are left out.

    Remedy: give the component its part of the gradient (`lossdoctor inspect` shows the shares); if it is meant to
    give way, declare it a regularizer in `loss.roles`.

    Options: `rise` (0.1) of the first value. `fall` (0.1) of the total's. `at_minimum` (0.1): a gradient at the start
    below this part of the largest one later is that of a minimum.
    """

    code: ClassVar[str] = "LD702"
    name: ClassVar[str] = "sacrificed-component"
    severity: ClassVar[Severity] = Severity.WARNING
    requires: ClassVar[tuple[str, ...]] = ("trial",)

    rise: float = 0.1
    fall: float = 0.1
    at_minimum: float = 0.1

    def check(self, case: Case) -> Iterator[Finding]:
        """Yield a finding for every component that rises while its total falls."""
        points = case.trial.trajectory if case.trial else ()
        for objective in points[0].objectives if len(points) > 2 else ():
            curve = case.trial.curve(objective.name) if case.trial else None
            if not (curve and curve.adversarial) and self._falls(objective, points[-1].objective(objective.name)):
                for component in objective.components:
                    if component.weight and component.role != "regularizer":
                        yield from self._judge(case, objective.name, component, points)

    def _falls(self, before: ObjectiveReport, after: ObjectiveReport | None) -> bool:
        if after is None or before.value is None or after.value is None:
            return False
        return before.value - after.value > self.fall * abs(before.value)

    def _judge(
        self, case: Case, objective: str, before: ComponentReport, points: Sequence[TrajectoryPoint]
    ) -> Iterator[Finding]:
        reports = [report for point in points[1:] if (report := point.objective(objective)) is not None]
        later = [component for report in reports if (component := report.component(before.name)) is not None]
        values = [component.value for component in later[-2:]]
        start, norm = before.value, before.grad_norm
        if start is None or norm is None or len(values) < 2:
            return
        least = min(value - start if value is not None else 0.0 for value in values)
        if least <= self.rise * abs(start) or norm < self.at_minimum * max(c.grad_norm or 0.0 for c in later):
            return
        end = values[-1]
        yield self.finding(
            [before.name],
            f"the total of {objective} falls while {before.name} rises from {start:.4g} to {end:.4g}",
            objective=objective,
            evidence={
                "start": start,
                "end": end,
                "total": [report.value for point in (points[0], points[-1]) if (report := point.objective(objective))],
                "grad_share": [before.grad_share, later[-1].grad_share],
                "cosine_to_total": [before.cosine_to_total, later[-1].cosine_to_total],
            },
            remedy="Give it its part of the gradient by its weight, or declare it a regularizer in loss.roles if it is "
            "meant to give way. Check its sign if it should fall by itself.",
            location=case.locate_component(before.name),
        )
