"""LD403: a component that drives the prediction away from its target."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from math import isfinite
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from ..records import ComponentReport, Finding, Location, ObjectiveReport, Severity
from .base import Case, Rule

if TYPE_CHECKING:
    from ..facts.operands import Operand, Operation
    from ..facts.probes import Direction

#: Comparisons that are least where both sides agree.
_DISTANCES = frozenset(
    """
    mse_loss l1_loss smooth_l1_loss huber_loss cross_entropy nll_loss binary_cross_entropy kl_div ctc_loss
    binary_cross_entropy_with_logits poisson_nll_loss gaussian_nll_loss soft_margin_loss multi_margin_loss
    multilabel_margin_loss multilabel_soft_margin_loss pairwise_distance dist
    """.split()  # noqa: SIM905
) | {"squared difference", "absolute difference", "norm of a difference"}

#: Comparisons that are greatest there.
_SIMILARITIES = frozenset({"cosine_similarity", "overlap", "overlap of boxes"})

#: What a component has to lose between a wrong answer and the right one, in parts of its way from the prediction.
_SIGNIFICANT = 0.05


class _Wrong(NamedTuple):
    """How it shows that a component leads away from the target."""

    says: str
    evidence: dict[str, Any]
    location: Location | None = None


class WrongDirection(Rule):
    """Descending the component moves the prediction away from what it is compared with.

    A similarity is minimised (SSIM, Dice or IoU without `1 -`, a cosine, a PSNR), a log-likelihood is taken for a loss,
    the sign of a divergence is wrong, or the weight has the wrong sign. The loss falls as it should, often below zero,
    while the model unlearns.

    Two observations, on sign(weight) · L. Where an operation compares something that carries gradient with something
    that does not (data, a teacher), the derivative of the component by the result of that operation: it must not be
    negative for a distance, nor positive for a similarity. The sign is exact, no threshold is involved. Where no
    operation shows, or it does not count all elements alike, the output is replaced by the target, and by the targets
    of other samples: a component that compares the two prefers the right ones; one that grows all the way from the
    prediction to the right target, in every batch, and is lower at the wrong ones, does not. For that the output has to
    be in the unit of the target: one that stands for a rate, a risk or a probability of failure falls as its target
    grows, and a component of it goes on growing past the target, where one that compares the two turns back. Of
    classes, the outputs have to stand for one each: then to be sure and right is as good for one as for another, which
    it is not where they are the thresholds of a scale.

    Left alone: what is pushed away only as far as a margin, or through a kernel that is flat far away (contrastive
    losses, hinges); what a number per sample in the batch decides, such as the advantages of a policy gradient; a
    component that looks at several comparisons of which one is right; what is compared with a constant, unless an
    objective of several unlearns two of them, as a discriminator that takes real for fake; what is pushed
    away from a representation that the loss itself has detached while another component leads somewhere (diversity);
    and the adversary of another objective that learns the same target.

    Remedy: minimise 1 − similarity, or the negative log-likelihood; or turn the sign of the weight.
    """

    code: ClassVar[str] = "LD403"
    name: ClassVar[str] = "wrong-direction"
    severity: ClassVar[Severity] = Severity.ERROR
    requires: ClassVar[tuple[str, ...]] = ("gradients", "operations")
    explains: ClassVar[tuple[str, ...]] = ("LD404", "LD701", "LD702", "LD703")
    overshadows: ClassVar[tuple[str, ...]] = ("LD103",)

    def check(self, case: Case) -> Iterator[Finding]:
        """Yield a finding for every component that leads away from its target."""
        for objective in case.objectives:
            for component in objective.components:
                wrong = _find(case, objective, component) if component.weight and component.attached else None
                if wrong is not None:
                    yield self._report(case, objective, component, wrong)

    def _report(self, case: Case, objective: ObjectiveReport, component: ComponentReport, wrong: _Wrong) -> Finding:
        name, weight = component.name, component.weight
        negative = " with its negative weight," if weight < 0 else ""
        return self.finding(
            [name],
            f"descending {name}{negative} moves the prediction away from the target: {wrong.says}",
            objective=objective.name,
            evidence={**wrong.evidence, "weight": weight, "value": component.value},
            remedy=f"Turn the sign of {name}: minimise 1 − similarity or the negative log-likelihood, "
            "or give it a weight of the other sign.",
            fix=case.weight_fix(objective.name, name, -weight),
            location=wrong.location or case.locate_component(name),
        )


def _find(case: Case, objective: ObjectiveReport, component: ComponentReport) -> _Wrong | None:
    """Return how it shows that a component leads away from its target, None where it does not."""
    sign = _sign(component)
    key = f"{objective.name}.{component.name}"
    compared = [operation for operation in case.operations(objective.name, component.name) if key in operation.slopes]
    given = [operation for operation in compared if not operation.slopes[key].detached]
    leads_away = _pushes_away if _tells_apart_backwards(case, objective) else _leads_away
    if not all(leads_away(operation, key, sign) for operation in given or compared):
        return None
    if given and all(operation.slopes[key].uniform for operation in given):
        return None if _is_adversary(case, given[0], objective) else _at_operation(given[0], key)
    if compared and not given:
        return None if _leads_anywhere(case, objective) else _at_operation(compared[0], key)
    found = _directions(case, objective, component)
    if any(_prefers_right(direction, sign) for direction in found):
        return None
    return next((_at_output(direction) for direction in found if _prefers_wrong(direction, sign)), None)


def _sign(component: ComponentReport) -> float:
    return 1.0 if component.weight > 0 else -1.0


def _directions(case: Case, objective: ObjectiveReport, component: ComponentReport) -> list[Direction]:
    """Return what a component makes of answers to the targets that it looks at; of others it likes some by chance."""
    facts = case.examination
    names = objective.name, component.name
    unseen = {
        (optimum.output, optimum.target)
        for optimum in (facts.optima or () if facts else ())
        if (optimum.objective, optimum.component) == names and not optimum.uses_target
    }
    return [
        direction
        for direction in (facts.directions or () if facts else ())
        if (direction.objective, direction.component) == names and (direction.output, direction.target) not in unseen
    ]


def _leads_anywhere(case: Case, objective: ObjectiveReport) -> bool:
    """Whether a component of the objective leads to something: then another may push apart what the model makes."""
    return any(_leads_to_target(case, objective, component) for component in objective.components if component.weight)


def _leads_to_target(case: Case, objective: ObjectiveReport, component: ComponentReport) -> bool:
    key, sign = f"{objective.name}.{component.name}", _sign(component)
    operations = [
        operation for operation in case.operations(objective.name, component.name) if _has_two_sides(operation)
    ]
    compares = any(key not in operation.slopes or not _leads_away(operation, key, sign) for operation in operations)
    return compares or any(_prefers_right(direction, sign) for direction in _directions(case, objective, component))


def _has_two_sides(operation: Operation) -> bool:
    """Whether it compares with something that says anything: a mean that is held at zero leads nowhere."""
    return all(operand.overall.minimum < operand.overall.maximum for operand in operation.operands[:2])


def _tells_apart_backwards(case: Case, objective: ObjectiveReport) -> bool:
    """Whether an objective compares with several constants, as a discriminator with 1 and 0, and unlearns all of them.

    A generator may be led away from one constant, what the discriminator says of its images.
    """
    compared = [
        (operation, f"{objective.name}.{component.name}", _sign(component))
        for component in objective.components
        for operation in (case.operations(objective.name, component.name) if component.weight else ())
        if f"{objective.name}.{component.name}" in operation.slopes
    ]
    given = [_given(operation) for operation, _, _ in compared]
    constants = {operand.overall.minimum for operand in given if operand is not None and _is_constant(operand)}
    return len(case.objectives) > 1 and len(constants) > 1 and all(_pushes_away(*each) for each in compared)


def _given(operation: Operation) -> Operand | None:
    return next((operand for operand in operation.operands[:2] if not operand.requires_grad), None)


def _is_constant(operand: Operand) -> bool:
    return operand.overall.minimum == operand.overall.maximum


def _leads_away(operation: Operation, key: str, sign: float) -> bool:
    given = _given(operation)
    return given is not None and not _is_constant(given) and _pushes_away(operation, key, sign)


def _pushes_away(operation: Operation, key: str, sign: float) -> bool:
    slope = operation.slopes[key]
    if slope.bounded:
        return False
    if operation.name in _SIMILARITIES:
        return sign * slope.minimum > 0 and sign * slope.maximum > 0
    return operation.name in _DISTANCES and sign * slope.minimum < 0 and sign * slope.maximum < 0


def _is_adversary(case: Case, operation: Operation, objective: ObjectiveReport) -> bool:
    """Whether another objective learns what this one unlearns: two players, as in domain adaptation."""
    given = next(operand for operand in operation.operands[:2] if not operand.requires_grad)
    wanted = operation.operands[:2] if _is_constant(given) else (given,)  # a constant is the same for everybody
    for other in case.objectives:
        for component in other.components if other is not objective else ():
            key, sign = f"{other.name}.{component.name}", _sign(component)
            for rival in case.operations(other.name, component.name):
                seen = [operand.overall for operand in rival.operands]
                same = rival.name == operation.name and all(operand.overall in seen for operand in wanted)
                if same and key in rival.slopes and not _pushes_away(rival, key, sign):
                    return True
    return False


def _at_operation(operation: Operation, key: str) -> _Wrong:
    slope = operation.slopes[key]
    similar = operation.name in _SIMILARITIES
    says = f"it {'grows with' if similar else 'falls as'} {operation.name} of the two{'' if similar else ' grows'}"
    evidence = {"level": "operation", "operation": operation.name, "slope": [slope.minimum, slope.maximum]}
    return _Wrong(says, evidence, operation.location)


def _at_output(direction: Direction) -> _Wrong:
    way = [value for value in direction.way[0] if isfinite(value)]
    start, end = way[0], way[-1]
    other = sum(direction.shuffled[0]) / len(direction.shuffled[0])
    return _Wrong(
        f"with the targets themselves as {direction.output} it goes from {start:.4g} to {end:.4g}, while "
        f"the targets of other samples give {other:.4g}",
        {
            "level": "output",
            "output": direction.output,
            "target": direction.target,
            "on_the_way_to_the_target": way,
            "at_targets_of_other_samples": list(direction.shuffled[0]),
        },
    )


def _prefers_right(direction: Direction, sign: float) -> bool:
    return sign * direction.way[0][-1] < min(sign * value for value in direction.shuffled[0])


def _prefers_wrong(direction: Direction, sign: float) -> bool:
    """Whether, in every batch, it grows all the way to the right answer and is clearly lower at wrong ones."""
    if direction.weighed_by is not None or len(direction.way[0]) < 3 or _is_in_other_terms(direction, sign):
        return False
    return all(
        _grows([sign * value for value in way if isfinite(value)], [sign * value for value in wrong])
        for way, wrong in zip(direction.way, direction.shuffled, strict=True)
    )


def _is_in_other_terms(direction: Direction, sign: float) -> bool:
    """Whether the target is no answer: the component does not turn at it, or likes to be right of one class better."""
    goes_on = any(
        _goes_on(sign * (way[-1] - way[0]), [sign * value for value in (way[-1], *beyond)])
        for way, beyond in zip(direction.way, direction.beyond or ((),) * len(direction.way), strict=True)
    )
    right, wrong = direction.way[0][-1], direction.shuffled[0]
    apart = max(direction.by_class, default=0.0) - min(direction.by_class, default=0.0)
    return goes_on or apart > max(abs(value - right) for value in wrong)


def _goes_on(way: float, past: Sequence[float]) -> bool:
    """Whether it grows past the target as it did on the way there."""
    return past[-1] - past[0] > _SIGNIFICANT * way and all(before <= after for before, after in pairwise(past))


def _grows(way: list[float], wrong: list[float]) -> bool:
    rises = len(way) > 1 and all(before <= after for before, after in pairwise(way))
    return rises and way[-1] - max(wrong) > _SIGNIFICANT * (way[-1] - way[0]) > 0
