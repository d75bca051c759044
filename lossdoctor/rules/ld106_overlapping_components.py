"""LD106: the same thing counted twice."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from .. import balance
from ..config.keys import dotted
from ..losses.spaces import selected_channels
from ..records import Finding, Severity
from .base import Case, Expected, Rule, listing
from .distances import distances
from .linear_relations import LinearRelation, linear_relation

if TYPE_CHECKING:
    from ..config.schema import BuiltInComponent
    from ..facts.gradients import ObjectiveGradients
    from ..facts.operands import Operand, Operation
    from ..facts.statistics import Statistics

#: Without values that vary over the batches a constant ratio says nothing; then gradients have to be parallel to
#: within rounding.
_PARALLEL = 1 - 1e-5

#: Distances whose result has an element for every one that was compared.
_ELEMENTWISE = ("absolute difference", "squared difference")


class OverlappingComponents(Rule):
    """Two components are the same function, or one compares a part of what the other compares.

    An MSE over L, a, b beside an MSE over a, b counts colour twice: the weights no longer say what matters how much.
    Two names for one term, or a term that was added in two places, do the same.

    Recognised in three ways. Identity: the gradients point the same way (cosine above 0.99) and the values, which
    differ from batch to batch, keep a constant ratio. Where they do not differ, or there is one batch only, both have
    to compare the same tensors and their gradients to be parallel. Containment: the same kind of distance over more
    channels, and each channel that the one compares has, on both sides, the statistics of a channel of the other; or a
    part of the very same difference. Combination: a component is Σ cᵢ·Lᵢ of two or more others, as a total that is
    returned beside its parts; coefficients fitted to the gradients of all batches but one hold for gradients and values
    of that one, whichever it is.

    It may be meant, so it is a warning. An L1 beside an MSE on the same images, or a focal loss beside a cross-entropy,
    is no overlap: they are different functions.

    Remedy: let each component compare something of its own (L in one, a and b in the other), or drop one and adjust
    the weight.

    Options: `cosine` (0.99) above which gradients count as equal; `ratio_spread` (1e-4), by how much the ratio of the
    values may change, where batches of different data make honest terms differ by percents.
    """

    code: ClassVar[str] = "LD106"
    name: ClassVar[str] = "overlapping-components"
    severity: ClassVar[Severity] = Severity.WARNING
    requires: ClassVar[tuple[str, ...]] = ("gradients",)

    cosine: float = 0.99
    ratio_spread: float = 1e-4

    def check(self, case: Case) -> Iterator[Finding]:
        """Yield a finding for every pair of components that overlap."""
        for gradients in case.gradients:
            pairs = {(pair.a, pair.b): pair.cosine for pair in balance.summarize(gradients).cosines}
            used = [k for k, weight in enumerate(gradients.weights) if weight != 0 and gradients.attached[k]]
            twins = set[int]()
            contained: list[tuple[tuple[str, str], float | None]] = []
            for a, b in itertools.combinations(used, 2):
                cosine = pairs[gradients.components[a], gradients.components[b]]
                if (ratio := self._same_function(case, gradients, a, b, cosine)) is not None:
                    twins.add(b)
                    yield self._identical(case, gradients, a, b, {"cosine": cosine, "value_ratio": ratio})
                elif pair := _containment(case, gradients, a, b):
                    contained.append((pair, cosine))
            different = [k for k in used if k not in twins]
            relation = linear_relation(gradients, different, self.ratio_spread)
            if relation:
                yield self._combined(case, gradients, relation)
            for pair, cosine in contained:
                if not _is_among(gradients, pair, relation):
                    yield self._contained(case, gradients.name, *pair, {"cosine": cosine})

    def check_expected(self, case: Case, expected: Expected) -> Iterator[Finding]:
        """Yield a finding for every pair of components of which the config says that they overlap."""
        gradients = expected.gradients
        used = [k for k, weight in enumerate(gradients.weights) if weight != 0]
        for a, b in itertools.combinations(used, 2):
            names = gradients.components[a], gradients.components[b]
            if _declare_the_same(*(case.built_in[name] for name in names)):
                yield self._identical(case, gradients, a, b, {"value_ratio": 1.0})
            elif pair := next((pair for pair in (names, names[::-1]) if _declares_part_of(case, *pair)), None):
                yield self._contained(case, gradients.name, *pair, _declared_channels(case, pair))

    def _same_function(
        self, case: Case, gradients: ObjectiveGradients, a: int, b: int, cosine: float | None
    ) -> float | None:
        """Return the ratio of two components' values where they are the same function up to a factor."""
        ratios = balance.value_ratios(gradients, a, b)
        ratio = _constant(ratios, self.ratio_spread)
        if cosine is None or cosine <= self.cosine or ratio is None:
            return None
        values = [batch[b] for batch in gradients.values if batch[b] is not None]
        if _constant(values, 10 * self.ratio_spread) is None:
            return ratio
        names = gradients.components[a], gradients.components[b]
        return ratio if cosine > _PARALLEL and _compare_the_same(case, gradients.name, *names) else None

    def _identical(
        self, case: Case, gradients: ObjectiveGradients, a: int, b: int, evidence: dict[str, Any]
    ) -> Finding:
        names = [gradients.components[a], gradients.components[b]]
        # With a = ratio · b, b alone does with this weight what both do.
        joint = gradients.weights[b] + gradients.weights[a] * evidence["value_ratio"]
        return self.finding(
            names,
            f"{listing(names)} are the same function up to a factor of {evidence['value_ratio']:.4g}: "
            "it is counted twice",
            objective=gradients.name,
            evidence=evidence,
            remedy=f"Drop {names[0]} and give {names[1]} the weight {joint:.4g}, or let one compare something else.",
            fix=_without(case, gradients.name, names[0], names[1], joint),
            location=case.locate_component(names[1]),
        )

    def _combined(self, case: Case, gradients: ObjectiveGradients, relation: LinearRelation) -> Finding:
        whole, *parts = (gradients.components[k] for k in (relation.whole, *relation.parts))
        sum_of_parts = " + ".join(
            name if abs(coefficient - 1) < 1e-3 else f"{coefficient:.4g}·{name}"
            for name, coefficient in zip(parts, relation.coefficients, strict=True)
        ).replace("+ -", "− ")
        return self.finding(
            [whole, *parts],
            f"{whole} is {sum_of_parts} in every batch: what its parts say is counted twice",
            objective=gradients.name,
            evidence={"whole": whole, "coefficients": dict(zip(parts, relation.coefficients, strict=True))},
            remedy=f"Return the parts alone: the weighted total is made of them. Without {whole}, the same total has "
            + ", ".join(f"{name}: {weight:.4g}" for name, weight in _weights_without(gradients, relation).items())
            + " as weights.",
            fix=_without_whole(case, gradients, relation),
            location=case.locate_component(whole),
        )

    def _contained(self, case: Case, objective: str, inner: str, outer: str, evidence: dict[str, Any]) -> Finding:
        rest = _channels_left(case, inner, outer)
        channels = f" (channels: [{', '.join(rest)}])" if rest else ""
        return self.finding(
            [outer, inner],
            f"{inner} is part of {outer}: the channels that {inner} compares are compared by {outer} as well, "
            "so they count twice",
            objective=objective,
            evidence=evidence,
            remedy=f"Leave to {outer} what {inner} does not compare{channels}, "
            f"or drop {inner} and raise the weight of {outer}.",
            fix={dotted(("loss", "components", outer, "channels")): rest} if rest else None,
            location=case.locate_component(inner),
        )


def _is_among(gradients: ObjectiveGradients, pair: tuple[str, str], relation: LinearRelation | None) -> bool:
    """Whether a relation says already that the first of two components is part of the second."""
    if relation is None:
        return False
    inner, outer = map(gradients.components.index, pair)
    return outer == relation.whole and inner in relation.parts


def _weights_without(gradients: ObjectiveGradients, relation: LinearRelation) -> dict[str, float]:
    """Return the weights with which the parts alone make the same total."""
    return {
        gradients.components[part]: gradients.weights[part] + gradients.weights[relation.whole] * coefficient
        for part, coefficient in zip(relation.parts, relation.coefficients, strict=True)
    }


def _without(case: Case, objective: str, dropped: str, kept: str, weight: float) -> dict[str, Any] | None:
    """Return the change that drops one of two built-in components and gives the other the weight of both.

    None where the user's code computes them, or where a weight follows a schedule of its own.
    """
    scheduled = any(case.schedule(objective, name) for name in (dropped, kept))
    removal = case.removal_fix(dropped)
    if scheduled or removal is None:
        return None
    # Rounded only to hide the rounding of the ratio: the total stays what it was.
    changed: dict[str, Any] = {**removal, **(case.weight_fix(objective, kept, float(f"{weight:.4g}")) or {})}
    shares = [case.declared_share(objective, name) for name in (kept, dropped)]
    if None not in shares:
        changed[dotted(("loss", "shares", kept))] = sum(share for share in shares if share)
    return changed


def _without_whole(case: Case, gradients: ObjectiveGradients, relation: LinearRelation) -> dict[str, Any] | None:
    """Return the change that drops a built-in component and gives its parts the weights of the same total.

    None where the user's code computes it, where a weight follows a schedule, or where a part would no longer count.
    """
    weights = _weights_without(gradients, relation)
    whole = gradients.components[relation.whole]
    removal = case.removal_fix(whole)
    scheduled = any(case.schedule(gradients.name, name) for name in (whole, *weights))
    if removal is None or scheduled or min(weights.values()) <= 0:
        return None
    new = [case.weight_fix(gradients.name, name, float(f"{weight:.4g}")) or {} for name, weight in weights.items()]
    return {**removal, **{key: weight for change in new for key, weight in change.items()}}


def _constant(numbers: Sequence[float | None], spread: float) -> float | None:
    """Return the mean of numbers that differ from it by no more than a part `spread`, None where they differ more."""
    present = [number for number in numbers if number is not None]
    if not present or not all(map(math.isfinite, present)):
        return None
    mean = sum(present) / len(present)
    return mean if mean and all(abs(number / mean - 1) <= spread for number in present) else None


def _containment(case: Case, gradients: ObjectiveGradients, a: int, b: int) -> tuple[str, str] | None:
    """Return (part, whole) where one of two components compares some of the other's channels."""
    for part, whole in ((a, b), (b, a)):
        inner, outer = gradients.components[part], gradients.components[whole]
        if _declares_part_of(case, inner, outer) or any(
            _has_part_of(theirs, ours)
            for ours in distances(case, gradients.name, outer)
            for theirs in distances(case, gradients.name, inner)
        ):
            return inner, outer
    return None


def _declares_part_of(case: Case, inner: str, outer: str) -> bool:
    """Whether two built-in components are the same term, one on some of the other's channels."""
    part, whole = case.color_component(inner), case.color_component(outer)
    if part is None or whole is None:
        return False
    return part.term == whole.term and part.space == whole.space and bool(_channels_left(case, inner, outer))


def _declare_the_same(a: BuiltInComponent, b: BuiltInComponent) -> bool:
    """Whether two built-in components differ in nothing but their weights."""
    return a.term == b.term and _without_weight(a) == _without_weight(b)


def _without_weight(component: BuiltInComponent) -> dict[str, Any]:
    """Return a component's settings with its channels in full and in order: [b, a] compares what [a, b] does."""
    settings = component.model_dump(exclude={"weight"})
    if component.term != "perceptual":
        settings["channels"] = sorted(c.letter for c in selected_channels(component.space, component.channels))
    return settings


def _declared_channels(case: Case, names: Sequence[str]) -> dict[str, Any]:
    """Return which channels components compare, as evidence."""
    declared = {name: component for name in names if (component := case.color_component(name))}
    return {
        "channels": {
            name: [channel.letter for channel in selected_channels(component.space, component.channels)]
            for name, component in declared.items()
        }
    }


def _channels_left(case: Case, inner: str, outer: str) -> list[str]:
    """Return the channels of the outer of two built-in components that the inner does not compare.

    Empty where the inner one compares others as well, or where either is no built-in component.
    """
    part, whole = case.color_component(inner), case.color_component(outer)
    if part is None or whole is None:
        return []
    taken = [channel.letter for channel in selected_channels(part.space, part.channels)]
    letters = [channel.letter for channel in selected_channels(whole.space, whole.channels)]
    return [letter for letter in letters if letter not in taken] if set(taken) <= set(letters) else []


def _has_part_of(inner: Operation, outer: Operation) -> bool:
    """Whether one distance compares a part of what another of its kind compares."""
    if inner.name != outer.name or len(inner.operands) != len(outer.operands):
        return False
    if all(map(_same_tensor, inner.operands, outer.operands)):
        return _is_picked(inner) and not _is_picked(outer)
    return _has_channels_of(inner, outer)


def _has_channels_of(inner: Operation, outer: Operation) -> bool:
    """Whether the channels of one distance, side by side and not on one side only, are some of another's."""
    parts = list(zip(*(operand.channels for operand in inner.operands), strict=False))
    wholes = list(zip(*(operand.channels for operand in outer.operands), strict=False))
    return (
        len({len(operand.channels) for operand in inner.operands}) == 1
        and 0 < len(parts) < len(wholes)
        and all(channel.maximum > channel.minimum for part in parts for channel in part)
        and all(any(all(map(_equal, part, whole)) for whole in wholes) for part in parts)
    )


def _is_picked(operation: Operation) -> bool:
    """Whether a difference was cut down, to some of its channels say, before its square or magnitude was taken."""
    elements, shapes = math.prod(operation.result_shape), [operand.shape for operand in operation.operands]
    return operation.name in _ELEMENTWISE and 1 < elements < max(map(math.prod, shapes))


def _compare_the_same(case: Case, objective: str, a: str, b: str) -> bool:
    """Whether two components have an operation of the same kind on the same tensors."""
    return any(
        first.name == second.name
        and len(first.operands) == len(second.operands) > 0
        and all(map(_same_tensor, first.operands, second.operands))
        for first in case.operations(objective, a)
        for second in case.operations(objective, b)
    )


def _same_tensor(a: Operand, b: Operand) -> bool:
    return a.shape == b.shape and all(map(_equal, (a.overall, *a.channels), (b.overall, *b.channels)))


def _equal(a: Statistics, b: Statistics) -> bool:
    """Whether two distributions are the same to within the rounding of float32 sums."""
    pairs = ((a.minimum, b.minimum), (a.maximum, b.maximum), (a.mean, b.mean), (a.std, b.std))
    return all(math.isclose(x, y, rel_tol=1e-5, abs_tol=1e-6 * b.magnitude) for x, y in pairs)
