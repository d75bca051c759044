"""LD102: a component has hardly any gradient."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from ..records import Finding, Severity
from .base import Case, Rule, percent
from .courses import Course, later_courses
from .shares import Standing, standings


class StarvedComponent(Rule):
    """A component that is no regularizer has so little of the gradient that it can hardly influence training.

    Its weighted gradient norm is compared with the sum over all components, on the parameters that at least two of
    them reach. Components with the role `regularizer` are left out: they may be small. So are those whose gradient
    there is exactly zero: that is LD502, or a zero-initialised layer that has not moved yet. A component whose share is
    declared in `loss.shares` is judged by that (LD105).

    It is an effect, so it is a warning. It becomes an error where a declared weight, at most 1/1000 of the others',
    is the cause: with the smallest of the other weights instead, the component would have its part. Of two weights so
    far apart, the one further from 1 is the odd one.

    A component whose value is the same for every batch, while the others' are not, is a penalty on the weights: a small
    weight is what such a term is usually given, so it stays a warning.

    Where a trial or a series of checkpoints was measured, a component that is heard at the start and starved later is
    a warning too: at the last two measurements it has next to nothing, although it has not lost half of its value
    since the first. The gradient of a component that has been learned vanishes, and that is no fault. Objectives that
    play against each other (GANs) are left out.

    Remedy: find out why (a mean where a sum was meant, a tiny unit, a large one elsewhere). If the component is meant
    to be small, say so with `loss.roles: {name: regularizer}`; if not, raise its weight.

    Options: `warning_share` (0.005): one update then moves two hundred times further for the others. `weight_ratio`
    (1000) is how extreme a weight must be to be the cause.
    """

    code: ClassVar[str] = "LD102"
    name: ClassVar[str] = "starved-component"
    severity: ClassVar[Severity] = Severity.ERROR
    requires: ClassVar[tuple[str, ...]] = ("gradients",)
    explains: ClassVar[tuple[str, ...]] = ("LD104",)
    overshadows: ClassVar[tuple[str, ...]] = ("LD101", "LD104")

    warning_share: float = 0.005
    weight_ratio: float = 1000.0

    def check(self, case: Case) -> Iterator[Finding]:
        """Yield a finding for every component that is starved."""
        found = [
            standing
            for gradients in case.gradients
            for standing in standings(case, gradients)
            if standing.share < self.warning_share
        ]
        yield from (self._judge(case, standing) for standing in found)
        for course in later_courses(case, found):
            if max(course.ending) < self.warning_share and course.unsatisfied:
                yield self._judge_late(case, course)

    def _judge(self, case: Case, standing: Standing) -> Finding:
        component, others = standing.component, standing.other_weights
        by_weight = self._is_cause(standing)
        message = f"{component.name} has {percent(standing.share)} of the gradient: it can hardly influence training"
        if by_weight:
            message += f", because its weight is 1/{min(others) / abs(component.weight):,.0f} of the smallest of theirs"
        return self.finding(
            [component.name],
            message,
            objective=standing.objective,
            severity=Severity.ERROR if by_weight else Severity.WARNING,
            evidence={
                "grad_share": standing.share,
                "weight": component.weight,
                "other_weights": {other.name: other.weight for other in standing.others},
            },
            remedy=(
                "Raise the weight to the order of the others', or declare the component a regularizer in loss.roles."
                if by_weight
                else "If it is meant to be small, declare it a regularizer in loss.roles. If not, look for a cause "
                f"(unit, reduction, range); a weight of about {standing.fair_weight:.2g} would give it an equal share."
            ),
            fix=case.weight_fix(standing.objective, component.name, standing.reweighted(min(others)))
            if by_weight
            else None,
            location=case.locate_weight(standing.objective, component.name),
        )

    def _judge_late(self, case: Case, course: Course) -> Finding:
        return self.finding(
            [course.name],
            f"{course.name} comes down to {course.words}: it can hardly influence training any more, with more than "
            "half of its value still there",
            objective=course.last.objective,
            severity=Severity.WARNING,
            evidence=course.evidence,
            remedy=course.advice("the others' gradient"),
            location=case.locate_weight(course.last.objective, course.name),
        )

    def _is_cause(self, standing: Standing) -> bool:
        """Whether a declared weight is why the component is starved: a usual weight would end it."""
        smallest = min(standing.other_weights)
        return (
            standing.declared
            and self.weight_ratio * abs(standing.component.weight) <= smallest
            and standing.has_odd_weight()
            and not standing.ignores_the_data
            and standing.share_with(smallest) >= self.warning_share
        )
