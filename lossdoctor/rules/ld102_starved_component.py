"""LD102: a component has hardly any gradient."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from ..records import Finding, Severity
from .base import Case, Rule, dotted, percent
from .shares import Standing, standings


@dataclass(frozen=True)
class StarvedComponent(Rule):
    """A component that is no regularizer has so little of the gradient that it cannot influence training.

    Its weighted gradient norm is compared with the sum over all components, on the parameters that at least two of
    them reach. Components with the role `regularizer` are left out: they may be small.

    It is an effect, so it is a warning. It becomes an error where a declared weight, at most 1/1000 of the others', is the
    cause: with the smallest of the other weights instead, the component would have its part.

    Remedy: find out why (a mean where a sum was meant, a tiny unit, a large one elsewhere). If the component is meant to be
    small, say so with `loss.roles: {name: regularizer}`; if not, raise its weight.

    Options: `warning_share`, by default 0.5 %: one update then moves two hundred times further for the others. `weight_ratio` is
    how extreme a weight must be to be the cause.
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
        for gradients in case.gradients:
            for standing in standings(gradients):
                if standing.share < self.warning_share:
                    yield self._judge(case, standing)

    def _judge(self, case: Case, standing: Standing) -> Finding:
        weight, others = abs(standing.component.weight), [abs(w) for w in standing.other_weights]
        keys, location = case.locate_weight(standing.objective, standing.component.name)
        by_weight = (
            standing.declared
            and self.weight_ratio * weight <= min(others)
            # Of two weights 1000 apart, the odd one is that which is further from 1.
            and weight * max(others) < 1
            and standing.share_with(min(others)) >= self.warning_share
        )
        name = standing.component.name
        message = f"{name} has {percent(standing.share)} of the gradient: it cannot influence training"
        if by_weight:
            message += f", because its weight is 1/{min(others) / weight:.3g} of the smallest of the others'"
        return self.finding(
            [name],
            message,
            objective=standing.objective,
            severity=Severity.ERROR if by_weight else Severity.WARNING,
            evidence={
                "grad_share": standing.share,
                "weight": standing.component.weight,
                "other_weights": others,
            },
            remedy=(
                "Raise the weight to the order of the others', or declare the component a regularizer in loss.roles."
                if by_weight
                else "If it is meant to be small, declare it a regularizer in loss.roles. If not, look for a cause (unit, reduction, "
                f"range); a weight of about {standing.fair_weight:.2g} would give it an equal share."
            ),
            fix={dotted(*keys): min(others)} if by_weight else None,
            location=location,
        )
