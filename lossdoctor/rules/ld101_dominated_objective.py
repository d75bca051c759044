"""LD101: one component holds the gradient."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from ..records import Finding, Severity
from .base import Case, Rule, listing, percent
from .courses import Course, later_courses
from .shares import Standing, standings


class DominatedObjective(Rule):
    """One component holds almost all of the gradient, so the others can hardly influence training.

    The gradient share of a component is its weight times the norm of its gradient, over the sum of that product for
    all components, on the parameters that at least two of them reach. Components with the role `regularizer`, and
    those whose gradient there is exactly zero, are left out. A component whose share is declared in `loss.shares` is
    judged by that (LD105), not here: a declared 99 % is meant.

    It is an effect, so it is a warning: the value of a loss says nothing about its importance, and a healthy
    detector may have gradient ratios of several hundred at the start. It becomes an error where a declared weight,
    at least 1000 times the others', is the cause: with the largest of the other weights instead, the component would
    no longer dominate. Of two weights so far apart, the one further from 1 is the odd one.

    Where a trial or a series of checkpoints was measured, a balance that holds at the start and is lost later is a
    warning too: at the last two measurements one component dominates, while another has not lost half of its value
    since the first. The gradient of a component that has been learned vanishes, and that is no fault. Objectives that
    play against each other (GANs) are left out.

    Remedy: find out why (unit, reduction, range). If nothing is wrong, bring the weight down, or declare what you
    intend in `loss.shares`.

    Options: `warning_share` (0.98) is where it starts to be reported: one update then moves along the other
    component's gradient by a fiftieth. `error_share` (0.98) is where a weight can be an error, `weight_ratio` (1000)
    how extreme the weight must be.
    """

    code: ClassVar[str] = "LD101"
    name: ClassVar[str] = "dominated-objective"
    severity: ClassVar[Severity] = Severity.ERROR
    requires: ClassVar[tuple[str, ...]] = ("gradients",)
    explains: ClassVar[tuple[str, ...]] = ("LD104",)
    overshadows: ClassVar[tuple[str, ...]] = ("LD102", "LD104")

    warning_share: float = 0.98
    error_share: float = 0.98
    weight_ratio: float = 1000.0

    def check(self, case: Case) -> Iterator[Finding]:
        """Yield a finding for the component that dominates an objective."""
        found = [
            standing
            for gradients in case.gradients
            for standing in standings(case, gradients)
            if standing.share >= self.warning_share
        ]
        yield from (self._judge(case, standing) for standing in found)
        for course in later_courses(case, found):
            if min(course.ending) >= self.warning_share and course.unsatisfied_others:
                yield self._judge_late(case, course)

    def _judge(self, case: Case, standing: Standing) -> Finding:
        component, others = standing.component, standing.other_weights
        by_weight = self._is_cause(standing)
        message = (
            f"{component.name} holds {percent(standing.share)} of the gradient: "
            "the other components can hardly influence training"
        )
        if by_weight:
            message += f", because its weight is {abs(component.weight) / max(others):,.0f} times the largest of theirs"
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
                "Bring the weight down to the order of the others'."
                if by_weight
                else "Look for a cause (unit, reduction, range) first. If there is none and this is not what you "
                f"intend, a weight of about {standing.fair_weight:.2g} would give it an equal share; "
                "loss.shares declares an intent."
            ),
            fix=case.weight_fix(standing.objective, component.name, standing.reweighted(max(others)))
            if by_weight
            else None,
            location=case.locate_weight(standing.objective, component.name),
        )

    def _judge_late(self, case: Case, course: Course) -> Finding:
        left_behind = course.unsatisfied_others
        return self.finding(
            [course.name],
            f"{course.name} comes to hold {course.words}: {listing(left_behind)} can hardly influence training any "
            "more, with more than half of the value still there",
            objective=course.last.objective,
            severity=Severity.WARNING,
            evidence={**course.evidence, "left_behind": left_behind},
            remedy=course.advice("the gradient"),
            location=case.locate_weight(course.last.objective, course.name),
        )

    def _is_cause(self, standing: Standing) -> bool:
        """Whether a declared weight is why the component dominates: a usual weight would end it."""
        largest = max(standing.other_weights)
        return (
            standing.declared
            and standing.share >= self.error_share
            and abs(standing.component.weight) >= self.weight_ratio * largest
            and standing.has_odd_weight()
            and standing.share_with(largest) < self.warning_share
        )
