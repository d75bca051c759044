"""LD404: a perfect prediction is not the best one."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar

from ..records import Finding, Location, Severity
from .base import Case, Rule

if TYPE_CHECKING:
    from ..facts.outputs import Output
    from ..facts.probes import Optimum
    from ..facts.statistics import Statistics

#: Ranges of final activations.
_RANGES = {"sigmoid": (0.0, 1.0), "hardsigmoid": (0.0, 1.0), "tanh": (-1.0, 1.0), "hardtanh": (-1.0, 1.0)}

#: A component is zero at the target below this part of what it is at another sample's.
_ZERO = 1e-3

#: Comparisons that are least where both sides are the same: logits and rates are not in the units of their targets.
_METRICS = frozenset({"mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss"}) | frozenset(
    {"squared difference", "absolute difference", "norm of a difference"}
)

#: Comparisons that are greatest where both sides are the same. A soft Dice is not: its best is the surest mask.
_SIMILARITIES = frozenset({"cosine_similarity", "overlap of boxes"})

#: How far statistics of the same numbers may be apart.
_ROUNDING = 1e-5


class ImperfectOptimum(Rule):
    """The model answers exactly the target, and the component can still be lowered by answering something else.

    The prediction and its target are not treated alike on their way into the loss: a colour conversion with another
    convention, an offset, a flip or a shift on one side; labels that are off by one; a temperature on the teacher
    alone. The component then pulls a perfect model away from the target, and against the components that are right.

    The output is replaced by the target (classes: by an output that is sure of them), and the gradient there is
    followed downhill. What is gained has to be a real part of what lies between the target and the target of another
    sample, has to remain with other random numbers (a noisy target), and the component has to change with the target.
    For classes, another assignment of outputs to classes has to be less than half as bad (a tenth, where nothing
    shows that classes are compared): only the largest output has to be right.

    An output need not be in the units of the target: a loss may take its sigmoid, or normalise the target. So the
    output has to be known to mean the same: another component is zero at the target, or an operation compares the
    output itself with the target itself, or the output
    comes out of a sigmoid or tanh that has the target's range. A distillation is looked at where it compares two
    softmaxes (`level: operation`): with its teacher's logits the student has to be at the optimum. A teacher that is
    sharper than the student is a method, and left alone; so are constant floors and small regularizers.

    Nor is a component judged that has another value every time, for a dropout in its loss network (LD407): what is
    lower beside the target may be so by chance.

    Remedy: send prediction and target through the same operations; give the student the teacher's temperature.

    Options: `least_gain` (0.05) of what lies between the target and another sample's; a tenth of it where more than
    a third of the value at the target can be avoided, which is then neither a floor nor a regularizer.
    """

    code: ClassVar[str] = "LD404"
    name: ClassVar[str] = "imperfect-optimum"
    severity: ClassVar[Severity] = Severity.ERROR
    requires: ClassVar[tuple[str, ...]] = ("gradients", "operations", "optima")
    explains: ClassVar[tuple[str, ...]] = ("LD701",)
    overshadows: ClassVar[tuple[str, ...]] = ("LD103",)

    least_gain: float = 0.05

    def check(self, case: Case) -> Iterator[Finding]:
        """Yield a finding for every component that a perfect prediction does not minimise."""
        optima = (case.examination.optima or ()) if case.examination else ()
        for objective in case.objectives:
            weights = {
                component.name: component.weight
                for component in objective.components
                if component.attached and not _wavers(case, objective.name, component.name)
            }
            reported = set[str]()
            for optimum in optima:
                name = optimum.component
                mine = optimum.objective == objective.name and name not in reported and weights.get(name)
                if mine and self._is_imperfect(case, optimum, optima, weights[name]):
                    reported.add(name)
                    yield self._report(case, optimum, weights[name])

    def _is_imperfect(self, case: Case, optimum: Optimum, optima: tuple[Optimum, ...], weight: float) -> bool:
        sign = 1.0 if weight > 0 else -1.0
        if not optimum.uses_target or not self._gains(optimum, sign):
            return False
        if optimum.level == "operation":
            return True
        if optimum.classes:
            # What nothing shows to be a comparison may be weighed by a reward.
            part = 2 if _compares(case, optimum) else 10
            return sign > 0 and 0 <= optimum.lower < optimum.value / part
        if not _compares(case, optimum):
            return False
        return (
            any(_is_perfect(other) for other in optima if _is_of_the_same_output(other, optimum))
            or is_compared_as_it_is(case, optimum)
            or _has_the_range_of_the_target(case, optimum)
        )

    def _gains(self, optimum: Optimum, sign: float) -> bool:
        gained = gain(optimum, sign)
        avoidable = optimum.value * sign > 0 and 0 <= optimum.lower * sign < optimum.value * sign * 2 / 3
        return gained >= self.least_gain or (avoidable and gained >= self.least_gain / 10)

    def _report(self, case: Case, optimum: Optimum, weight: float) -> Finding:
        name = optimum.component
        better = (
            "with every class taken for its neighbour"
            if optimum.classes
            else "with the student's logits shrunk"
            if optimum.level == "operation"
            else "away from it"
        )
        perfect = (
            f"where the {optimum.output}, has the logits of the {optimum.target}"
            if optimum.level == "operation"
            else f"where {optimum.output} is exactly {optimum.target}"
        )
        return self.finding(
            [name],
            f"{name} is not at its best {perfect}: {optimum.value:.4g} there, {optimum.lower:.4g} {better}",
            objective=optimum.objective,
            evidence={
                "level": optimum.level,
                "at_the_target": optimum.value,
                "lower": optimum.lower,
                "at_the_target_of_another_sample": optimum.unrelated,
                "gain": gain(optimum, 1.0 if weight > 0 else -1.0),
            },
            remedy="Give student and teacher the same temperature."
            if optimum.level == "operation"
            else "Send prediction and target through the same operations before they are compared.",
            location=optimum.location or _location(case, optimum) or case.locate_component(name),
        )


def _wavers(case: Case, objective: str, component: str) -> bool:
    """Whether a component has several values for one prediction."""
    waverings = (case.examination.waverings or ()) if case.examination else ()
    return any((wavering.objective, wavering.component) == (objective, component) for wavering in waverings)


def gain(optimum: Optimum, sign: float) -> float:
    """Return what there is to gain at the target, in parts of what is lost at the target of another sample."""
    gained, lost = sign * (optimum.value - optimum.lower), sign * (optimum.unrelated - optimum.lower)
    return gained / max(lost, gained) if gained > 0 else 0.0


def _is_perfect(optimum: Optimum) -> bool:
    """Whether a component is zero at the target, and not at another sample's."""
    return optimum.uses_target and 0 <= optimum.value <= _ZERO * optimum.unrelated


def is_compared_as_it_is(case: Case, optimum: Optimum) -> bool:
    """Whether an operation of the objective compares the output itself with the target itself."""
    outputs = (case.examination.outputs or ()) if case.examination else ()
    output = next((output.overall for output in outputs if output.name == optimum.output), None)
    if output is None or optimum.given is None:
        return False
    traced = (case.examination.operations or ()) if case.examination else ()
    for operation in traced:
        mine = any(component.startswith(f"{optimum.objective}.") for component in operation.components)
        sides = {operand.requires_grad: operand.overall for operand in operation.operands[:2]}
        if (
            mine
            and operation.name in _METRICS
            and len(sides) == 2
            and _same(sides[True], output)
            and _same(sides[False], optimum.given)
        ):
            return True
    return False


def _same(a: Statistics, b: Statistics) -> bool:
    pairs = ((a.minimum, b.minimum), (a.maximum, b.maximum), (a.mean, b.mean), (a.std, b.std))
    return all(math.isclose(left, right, rel_tol=_ROUNDING, abs_tol=_ROUNDING * a.magnitude) for left, right in pairs)


def _is_of_the_same_output(other: Optimum, optimum: Optimum) -> bool:
    return (other.objective, other.output, other.target, other.level) == (
        optimum.objective,
        optimum.output,
        optimum.target,
        optimum.level,
    )


def _compares(case: Case, optimum: Optimum) -> bool:
    """Whether an operation in the component compares what carries gradient with what is given.

    Classes may be compared by anything; numbers by what is at its best where they are the same, or the best ones would
    be the surest.
    """
    key = f"{optimum.objective}.{optimum.component}"
    slopes = [
        operation.slopes[key]
        for operation in case.operations(optimum.objective, optimum.component)
        if key in operation.slopes and (optimum.classes or operation.name in _METRICS | _SIMILARITIES)
    ]
    return any(not slope.bounded and not slope.detached for slope in slopes)


def _has_the_range_of_the_target(case: Case, optimum: Optimum) -> bool:
    outputs: tuple[Output, ...] = (case.examination.outputs or ()) if case.examination else ()
    for output in outputs:
        if output.name == optimum.output and optimum.given and output.activation in _RANGES:
            low, high = _RANGES[output.activation]
            return low <= optimum.given.minimum and optimum.given.maximum <= high
    return False


def _location(case: Case, optimum: Optimum) -> Location | None:
    operations = case.operations(optimum.objective, optimum.component)
    return next((operation.location for operation in operations if operation.location), None)
