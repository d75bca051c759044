"""LD301: a value that grows with the size of the batch or of its samples."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar

from ..config.keys import dotted
from ..records import Finding, Location, ObjectiveReport, Severity
from .base import EXPECTED, MEASURED, Case, Expected, Limits, Rule, effect_of, listing

if TYPE_CHECKING:
    from ..facts.probes import Duplication, Tiling

#: How far an exponent may be from those of a sum. The logarithm of the number of samples, in a contrastive loss of two,
#: has the exponents 1 and 0.86 when they are doubled and tripled; the seams of a tiled image of 8 pixels a side change
#: a total variation by 7 %, an exponent by 0.05.
TOLERANCE = 0.1

#: How far the exponents for two and three copies may be apart: a contrastive loss, summed over n samples, which is
#: n times the logarithm of n, has 2 and 1.87 for n = 2. A value that is zero but for rounding has any.
CONSISTENT = 0.15


@dataclass(frozen=True)
class Growth:
    """How the value of a component grows with the number of samples, and of the elements of a sample."""

    with_batch: float | None = None  #: exponent: 0 for a mean, 1 for a sum; None where it was not measured
    with_elements: float | None = None
    reads_elements: bool | None = None  #: whether it was computed from something that has more elements
    measured: Mapping[str, float | str] = field(default_factory=dict)  #: ratios, or what was traced


class SumReduction(Rule):
    """A component adds up over the samples or the elements while another one takes their mean.

    A sum over the batch doubles where the batch does, a sum over pixels or tokens grows with the resolution or the
    length, even where it is divided by the batch size. Beside means, such a component drowns the others, by a factor
    of the number of elements, and every change of batch size, image size or crop changes the balance again.

    Measured, whatever the loss is written in: the batch is duplicated (x1 for a mean, x2 and x3 for a sum), the images
    are tiled or the sequences repeated (x1 for a mean, x2 or x4 for a sum). A component counts as a sum where the
    exponent of its growth is between 1 and 2 (a sum over pairs), within 0.1. A contrastive loss, whose logarithm grows
    with the number of samples, is no sum; nor is a divergence summed over latent dimensions, as it should be. Where
    the user's code refuses the made batch, `reduction="sum"` of the operation that is the component decides; the
    evidence says which it was.

    A cause, judged by its effect: an error where the components hold, together, at least 99 % of the gradient or
    leave another component below 0.1 %; a warning at 95 % or 0.5 %; else a note. Where all components grow alike the
    balance stays, and only the learning rate depends on the size: a note. Where nothing was measured, `reduction: sum`
    of built-in components says it, and the effect is expected from the number of elements: a ratio of 1000 to another
    component is an error, of 100 a warning.

    Remedy: take the mean over the elements (`reduction="mean"`, `reduction: mean` for built-in components), then set
    the weight anew.
    """

    code: ClassVar[str] = "LD301"
    name: ClassVar[str] = "sum-reduction"
    severity: ClassVar[Severity] = Severity.ERROR
    requires: ClassVar[tuple[str, ...]] = ("gradients", "operations")
    settled_by: ClassVar[tuple[str, ...]] = ("measurement", "config")
    explains: ClassVar[tuple[str, ...]] = ("LD101", "LD104", "LD903")
    overshadows: ClassVar[tuple[str, ...]] = ("LD102", "LD104", "LD903")

    def check(self, case: Case) -> Iterator[Finding]:
        """Yield one finding for all sums over the batch of an objective, one for all sums over elements alone."""
        for objective in case.objectives:
            growths = {
                component.name: growth_of(case, objective.name, component.name)
                for component in objective.components
                if component.weight != 0
            }
            over_batch = [name for name, growth in growths.items() if _is_sum(growth.with_batch)]
            over_elements = [
                name for name, growth in growths.items() if _is_sum(growth.with_elements) and name not in over_batch
            ]
            if over_batch:
                yield self._report(case, objective, over_batch, growths, "batch")
            if over_elements:
                averaged = [name for name, growth in growths.items() if _is_mean_of_elements(growth)]
                yield self._report(
                    case, _only(objective, [*over_elements, *averaged]), over_elements, growths, "sample"
                )

    def check_expected(self, case: Case, expected: Expected) -> Iterator[Finding]:
        """Yield one finding for all components that are declared as sums."""
        objective = expected.objective
        names = [c.name for c in objective.components if c.weight != 0 and _is_declared(case, c.name)]
        if names:
            growths = {name: Growth(measured={"reduction": "sum"}) for name in names}
            yield self._report(case, objective, names, growths, "batch", EXPECTED)

    def _report(
        self,
        case: Case,
        objective: ObjectiveReport,
        names: list[str],
        growths: Mapping[str, Growth],
        what: str,
        limits: Limits = MEASURED,
    ) -> Finding:
        effect = effect_of(objective, names, limits)
        outside = [component.name for component in objective.components if component.name not in names]
        declared = {name: ("loss", "components", name, "reduction") for name in names if _is_declared(case, name)}
        fix: dict[str, Any] = {dotted(keys): "mean" for keys in declared.values()}
        grow = "grows" if len(names) == 1 else "grow"
        alone = f" while {listing(outside)} {'does' if len(outside) == 1 else 'do'} not" if outside else ""
        over = "the samples" if what == "batch" else "the elements of a sample"
        return self.finding(
            names,
            f"{listing(names)} {grow} with the size of the {what}{alone}, "
            f"a sum over {over}{effect.describe(names) if outside else ''}",
            objective=objective.name,
            severity=effect.severity,
            evidence={
                "growth": {name: growths[name].measured for name in (*names, *outside) if name in growths},
                "joint_share": effect.share,
                **({"smallest_other": {effect.smallest.name: effect.smallest.grad_share}} if effect.smallest else {}),
            },
            remedy='Take the mean over the elements (reduction="mean", or divide by their number), then set the weight '
            "anew." + ("" if outside else " As all components grow alike, only the learning rate depends on the size."),
            fix=fix if fix and effect.severity is not Severity.NOTE else None,
            location=self._place(case, objective.name, names[0], declared),
        )

    @staticmethod
    def _place(case: Case, objective: str, name: str, declared: Mapping[str, tuple[str, ...]]) -> Location | None:
        if name in declared:
            return case.locate(*declared[name])
        operations = case.operations(objective, name)
        summed = [operation for operation in operations if operation.arguments.get("reduction") == "sum"]
        places = [operation.location for operation in (*summed, *operations) if operation.location]
        return places[0] if places else case.locate_component(name)


def growth_of(case: Case, objective: str, component: str) -> Growth:
    """Return how a component grows, as far as that could be found out."""
    measured, here = case.examination, (objective, component)
    duplications, tilings = (measured.duplications or (), measured.tilings or ()) if measured else ((), ())
    duplication = next((d for d in duplications if (d.objective, d.component) == here), None)
    tiling = next((t for t in tilings if (t.objective, t.component) == here), None)
    # Where no batch could be made, the operations say it: a component that is the bare sum of one grows with the batch.
    traced = duplication is None and any(f"{objective}.{component}" in o.sum_of for o in case.operations(*here))
    ratios = {**_ratios_of_duplication(duplication), **_ratio_of_tiling(tiling)}
    return Growth(
        with_batch=1.0 if traced else _exponent({2: ratios.get("batch x2"), 3: ratios.get("batch x3")}),
        with_elements=_exponent({tiling.factor: ratios.get(f"elements x{tiling.factor}")}) if tiling else None,
        reads_elements=tiling.reads_elements if tiling else None,
        measured={**({"traced reduction": "sum"} if traced else {}), **ratios},
    )


def _ratios_of_duplication(fact: Duplication | None) -> dict[str, float]:
    if fact is None or not fact.value:
        return {}
    measured = {"batch x2": fact.doubled, "batch x3": fact.tripled}
    return {name: value / fact.value for name, value in measured.items() if value is not None}


def _ratio_of_tiling(fact: Tiling | None) -> dict[str, float]:
    if fact is None or not fact.value or fact.tiled is None:
        return {}
    return {f"elements x{fact.factor}": fact.tiled / fact.value}


def _exponent(ratios: Mapping[int, float | None]) -> float | None:
    """Return the least exponent of the growth; NaN where it is none, or not the same for every factor."""
    exponents = [
        math.log(ratio) / math.log(factor) if ratio > 0 and math.isfinite(ratio) else math.nan
        for factor, ratio in ratios.items()
        if ratio is not None
    ]
    if not exponents:
        return None
    return min(exponents) if max(exponents) - min(exponents) <= CONSISTENT else math.nan


def _is_sum(exponent: float | None) -> bool:
    """Whether a value grows at least with the number of elements, at most with that of the pairs of them."""
    return exponent is not None and 1 - TOLERANCE <= exponent <= 2 + TOLERANCE


def _is_mean_of_elements(growth: Growth) -> bool:
    """Whether a component has a value that stays although it is computed from more elements.

    A divergence of a latent vector is no mean over pixels: it has no part in what has grown.
    """
    return growth.reads_elements is not False and not _is_sum(growth.with_elements)


def _only(objective: ObjectiveReport, names: Collection[str]) -> ObjectiveReport:
    components = tuple(component for component in objective.components if component.name in names)
    return replace(objective, components=components)


def _is_declared(case: Case, name: str) -> bool:
    return getattr(case.built_in.get(name), "reduction", None) == "sum"
