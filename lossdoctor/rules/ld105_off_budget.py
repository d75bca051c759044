"""LD105: a component does not get the share of the gradient that was declared for it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from .. import balance
from ..records import Finding, Location, Severity
from .base import Case, Expected, Rule, listing, percent

if TYPE_CHECKING:
    from ..facts.gradients import ObjectiveGradients

#: Declared shares that add up to this much leave nothing to other components: three times 0.33 is meant as all.
WHOLE = 0.98

#: How far an expected share may be off the one that will be measured (`expected.py`).
EXPECTED_MARGIN = 10.0


class _Budget(NamedTuple):
    """The shares of one objective as declared and as measured, by component; both of the same whole."""

    objective: ObjectiveGradients
    declared: Mapping[str, float]
    measured: Mapping[str, float]
    norms: Mapping[str, float]  #: unweighted

    def off(self, tolerance: float, nothing: float) -> list[str]:
        """Return the components whose share is off by more than a factor; of a share of zero, all that is something."""
        return [name for name, declared in self.declared.items() if self._is_off(name, declared, tolerance, nothing)]

    def _is_off(self, name: str, declared: float, tolerance: float, nothing: float) -> bool:
        measured = self.measured[name]
        if declared == 0:
            return measured > nothing
        return not declared / tolerance <= measured <= declared * tolerance

    def weights(self, off: Collection[str]) -> dict[str, float]:
        """Return the weights that meet the budget, two digits of each, where they are not what they should be already.

        Only ratios of weights matter to the budget, so one weight can stay: of a component that is not off, if there is
        one, with the largest share, and of several the one with the least gradient, which makes no step longer.
        """
        current = _weights(self.objective)
        usable = [name for name in self.declared if self.declared[name] and current[name]]
        if not usable:
            return {}
        kept = min(usable, key=lambda name: (name in off, -self.declared[name], self.measured[name]))
        unit = abs(current[kept]) * self.norms[kept] / self.declared[kept]
        ideal = {name: unit * share / self.norms[name] for name, share in self.declared.items()}
        rounded = {name: _two_digits(weight) * (-1 if current[name] < 0 else 1) for name, weight in ideal.items()}
        return {name: weight + 0.0 for name, weight in rounded.items() if _two_digits(current[name]) != weight}


class OffBudget(Rule):
    """A component gets another share of the gradient than the config declares for it.

    `loss.shares` says how much of the gradient each component is meant to have. It is compared with what was measured
    on the shared parameters, and a share that is more than `loss.tolerance` (3) times too large or too small is an
    error, because the intent is written down. Where the declared shares add up to 1, they divide the gradient of the
    components that have one; where they leave something over, that belongs to the components without one. A component
    with the role `regularizer` and without a share belongs to neither, nor does one that reaches no shared parameters
    or whose gradient there is zero or not finite.

    Gradients scale with weights, so the weights that meet the budget follow from one measurement: weight times
    gradient norm has to be proportional to the share. One weight stays as it is: that of the largest share which is
    not off, or of the largest if all are. They hold for now, because shares move during training.

    Where nothing was measured, shares that can be expected of built-in components are compared instead, and ten times
    as much may be off, which is how far such an expectation may be.

    Remedy: set the weights of the message, or declare what you want instead.

    Options: `nothing` (0.005) is how much of the gradient a component with the share 0 may still have; below that,
    LD102 calls a component starved.
    """

    code: ClassVar[str] = "LD105"
    name: ClassVar[str] = "off-budget"
    severity: ClassVar[Severity] = Severity.ERROR
    requires: ClassVar[tuple[str, ...]] = ("config", "gradients")
    explains: ClassVar[tuple[str, ...]] = ("LD101", "LD102", "LD104", "LD903")
    overshadows: ClassVar[tuple[str, ...]] = ("LD101", "LD102", "LD104", "LD903")

    nothing: float = 0.005

    def check(self, case: Case) -> Iterator[Finding]:
        """Yield one finding for every objective with a component that is off its budget."""
        for gradients in case.gradients:
            yield from self._compare(case, gradients, "has", margin=1.0)

    def check_expected(self, case: Case, expected: Expected) -> Iterator[Finding]:
        """Yield a finding where the weights contradict the budget."""
        return self._compare(case, expected.gradients, "can be expected to get", margin=EXPECTED_MARGIN)

    def _compare(self, case: Case, gradients: ObjectiveGradients, verb: str, *, margin: float) -> Iterator[Finding]:
        if case.config is None:
            return
        loss = case.config.loss
        budget = _budget(case, gradients) if loss.shares else None
        off = budget.off(loss.tolerance * margin, self.nothing * margin) if budget else []
        if budget and off:
            yield self._judge(case, budget, off, loss.tolerance * margin, verb)

    def _judge(self, case: Case, budget: _Budget, off: Sequence[str], tolerance: float, verb: str) -> Finding:
        expected = verb != "has"
        objective, weights = budget.objective.name, budget.weights(off)
        apart = [
            f"{name} {verb} {percent(budget.measured[name])} of the gradient instead of {percent(declared)}"
            for name, declared in budget.declared.items()
            if name in off
        ]
        changes = [f"{name}: {weight:g}" for name, weight in weights.items()]
        return self.finding(
            off,
            f"{listing(apart)}: more than {tolerance:g} times off what is declared",
            objective=objective,
            evidence={
                "declared": dict(budget.declared),
                "expected" if expected else "measured": dict(budget.measured),
                "weights": _weights(budget.objective),
                "tolerance": tolerance,
            },
            remedy="Correct the weights or loss.shares; lossdoctor inspect measures which weights meet the budget."
            if expected
            else f"The budget is met with weights {', '.join(changes)}. Or declare other shares in loss.shares."
            if changes
            else "Give the components a weight, or declare other shares in loss.shares.",
            fix=None if expected else _fix(case, objective, weights),
            location=_locate_share(case, objective, off[0]),
        )


def _budget(case: Case, gradients: ObjectiveGradients) -> _Budget | None:
    """Return the budget of an objective, None where none is declared or nothing is left to compare."""
    declared = {
        name: share for name in gradients.components if (share := case.declared_share(gradients.name, name)) is not None
    }
    norms = _norms(gradients)
    weighted = {name: abs(weight) * norms[name] for name, weight in _weights(gradients).items() if name in norms}
    roles = dict(zip(gradients.components, gradients.roles, strict=True))
    over = 1 - sum(declared.values())
    others = [name for name in weighted if name not in declared and roles[name] != "regularizer"]
    sharing = [name for name in weighted if name in declared]
    whole = sum(declared[name] for name in sharing)
    everything = sum(weighted[name] for name in sharing)
    if others and over > 1 - WHOLE:
        whole, everything = whole + over, everything + sum(weighted[name] for name in others)
    if not whole or not everything:
        return None
    return _Budget(
        gradients,
        declared={name: declared[name] / whole for name in sharing},
        measured={name: weighted[name] / everything for name in sharing},
        norms={name: norms[name] for name in sharing},
    )


def _norms(gradients: ObjectiveGradients) -> dict[str, float]:
    """Return the unweighted gradient norms on the shared parameters, up to one factor; only those that are not zero."""
    table = balance.summarize(gradients, [1.0] * len(gradients.weights))
    return {component.name: component.grad_share for component in table.components if component.grad_share}


def _weights(gradients: ObjectiveGradients) -> dict[str, float]:
    return dict(zip(gradients.components, gradients.weights, strict=True))


def _fix(case: Case, objective: str, weights: Mapping[str, float]) -> dict[str, float] | None:
    """Return the change of the config; None where a weight follows a schedule, whose end is not what was measured."""
    if any(case.schedule(objective, name) for name in weights):
        return None
    changes = [case.weight_fix(objective, name, weight) or {} for name, weight in weights.items()]
    return {key: weight for change in changes for key, weight in change.items()} or None


def _locate_share(case: Case, objective: str, component: str) -> Location | None:
    qualified = f"{objective}.{component}"
    shares = case.config.loss.shares if case.config else {}
    return case.locate("loss", "shares", qualified if qualified in shares else component)


def _two_digits(weight: float) -> float:
    return float(f"{weight:.1e}")
