"""LD903: components that cannot balance, going by the config alone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, ClassVar

from ..records import Finding, Severity
from .base import Case, Expected, Rule, percent
from .shares import Standing, standings

if TYPE_CHECKING:
    from ..config.schema import BuiltInComponent


class StaticScale(Rule):
    """Going by the config alone, one component is so large that the others cannot be heard, or so small that it cannot.

    The gradient that a built-in component can be expected to have follows from its term, space, channels,
    normalisation, reduction and weight, and from the size of the images. The estimate leaves a factor of ten to either
    side; what is beyond that is out of balance whatever the data. It stands in for LD101 and LD102 where nothing was
    measured, and says nothing where something was.

    Raw colour spaces (LD201) and sums (LD301) have rules of their own, which explain it. What is left are weights. A
    component with the role `regularizer`, and a total variation, may be small.

    Remedy: bring the weight to the order of the others', declare a regularizer in `loss.roles`, or measure with
    `lossdoctor inspect`.

    Options: `warning_ratio` (100) and `error_ratio` (1000) of its expected gradient to that of all others together.
    """

    code: ClassVar[str] = "LD903"
    name: ClassVar[str] = "static-scale"
    severity: ClassVar[Severity] = Severity.ERROR
    requires: ClassVar[tuple[str, ...]] = ("gradients",)
    settled_by: ClassVar[tuple[str, ...]] = ("config",)

    warning_ratio: float = 100.0
    error_ratio: float = 1000.0

    def check(self, case: Case) -> Iterator[Finding]:  # noqa: ARG002 - nothing in it counts
        """Yield nothing: where something was measured there is nothing to estimate."""
        return iter(())

    def check_expected(self, case: Case, expected: Expected) -> Iterator[Finding]:
        """Yield a finding for a component that drowns all others, or else for every one that is drowned."""
        contenders = list(standings(case, expected.gradients, expected.objective))
        large = [standing for standing in contenders if standing.ratio >= self.warning_ratio]
        small = [standing for standing in contenders if standing.ratio <= 1 / self.warning_ratio]
        # Of two components that are far apart, the one whose weight is the odd one is meant.
        found = small if large and len(contenders) == 2 and not large[0].has_odd_weight() else large or small
        for standing in found:
            yield self._judge(case, standing)

    def _judge(self, case: Case, standing: Standing) -> Finding:
        name, ratio = standing.component.name, max(standing.ratio, 1 / standing.ratio)
        others = {other.name: _quantities(case.built_in[other.name], other.weight) for other in standing.others}
        quantities = _quantities(case.built_in[name], standing.component.weight)
        written = ", ".join(f"{key} {value}" for key, value in quantities.items())
        effect = (
            "the other components can hardly be heard" if standing.ratio > 1 else "it can hardly influence training"
        )
        return self.finding(
            [name],
            f"{name} ({written}) can be expected to get {percent(standing.share)} of the gradient: {effect}",
            objective=standing.objective,
            severity=Severity.ERROR if ratio >= self.error_ratio else Severity.WARNING,
            evidence={"expected_ratio": standing.ratio, "expected_share": standing.share} | {name: quantities} | others,
            remedy="Check weight, space and reduction; an equal share could be expected of a weight of "
            f"about {standing.fair_weight:.1g}. If the numbers are meant, declare a regularizer in loss.roles, or "
            "measure with lossdoctor inspect.",
            location=case.locate_weight(standing.objective, name),
        )


def _quantities(component: BuiltInComponent, weight: float) -> dict[str, Any]:
    """Return what decides how large a component is, in the words of the config."""
    settings = component.model_dump(include={"term", "space", "normalize", "reduction"})
    usual = {"normalize": True, "reduction": "mean"}
    return {"weight": f"{weight:g}"} | {
        key: str(value).lower() for key, value in settings.items() if usual.get(key) != value
    }
