"""LD106: the same thing counted twice."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

from .. import balance
from ..config.schema import ColorComponent
from ..losses.spaces import selected_channels
from ..records import Finding, ObjectiveGradients, Operation, Severity, Statistics
from .base import Case, Rule, listing


@dataclass(frozen=True)
class OverlappingComponents(Rule):
    """Two components are the same function, or one compares a part of what the other compares.

    An MSE over L, a, b beside an MSE over a, b counts colour twice: the weights no longer say what matters how much. Two names for
    one term, or a term that was added in two places, do the same.

    Recognised in two ways. Containment: the same kind of comparison, and every channel that the one compares, on both sides, has
    exactly the statistics of a channel of the other. Identity: the gradients point the same way (cosine above 0.99) and the
    values keep a constant ratio over the batches (to 1e-4, where batches of different data make honest terms differ by
    percents), which needs at least two batches.

    It may be meant, so it is a warning. An L1 beside an MSE on the same images is not an overlap: they are different functions.

    Remedy: let each component compare something of its own (L in one, a and b in the other), or drop one and adjust the weight.
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
            used = [k for k, weight in enumerate(gradients.weights) if weight != 0 and gradients.attached[k]]
            for a, b in itertools.combinations(used, 2):
                if pair := self._containment(case, gradients, a, b):
                    yield self._contained(case, gradients, *pair)
                elif (ratio := self._same_function(gradients, a, b)) is not None:
                    yield self._identical(case, gradients, a, b, ratio)

    def _containment(self, case: Case, gradients: ObjectiveGradients, a: int, b: int) -> tuple[int, int] | None:
        """Return (part, whole) where one of two components compares channels of the other."""
        for part, whole in ((a, b), (b, a)):
            names = gradients.components[part], gradients.components[whole]
            if _declared_containment(case, *names) or any(
                _contains(outer, inner)
                for outer in case.operations(gradients.name, names[1])
                for inner in case.operations(gradients.name, names[0])
            ):
                return part, whole
        return None

    def _same_function(self, gradients: ObjectiveGradients, a: int, b: int) -> float | None:
        """Return the ratio of two components' values where they are the same function up to a factor."""
        ratios = balance.value_ratios(gradients, a, b)
        names = {gradients.components[a], gradients.components[b]}
        cosine = next(c.cosine for c in balance.summarize(gradients).cosines if {c.a, c.b} == names)
        if len(ratios) < 2 or cosine is None or cosine <= self.cosine or not all(map(math.isfinite, ratios)):
            return None
        mean = sum(ratios) / len(ratios)
        return mean if mean and all(abs(ratio / mean - 1) <= self.ratio_spread for ratio in ratios) else None

    def _contained(self, case: Case, gradients: ObjectiveGradients, part: int, whole: int) -> Finding:
        inner, outer = gradients.components[part], gradients.components[whole]
        return self.finding(
            [outer, inner],
            f"{inner} is part of {outer}: the channels that {inner} compares are compared by {outer} as well, so they count twice",
            objective=gradients.name,
            evidence=self._evidence(gradients, part, whole),
            remedy=f"Leave to {outer} what {inner} does not compare"
            + self._split(case, inner, outer)
            + f", or drop {inner} and raise the weight of {outer}.",
            location=case.locate_component(inner),
        )

    def _identical(self, case: Case, gradients: ObjectiveGradients, a: int, b: int, ratio: float) -> Finding:
        names = [gradients.components[a], gradients.components[b]]
        return self.finding(
            names,
            f"{listing(names)} are the same function up to a factor of {ratio:.4g}: it is counted twice",
            objective=gradients.name,
            evidence=self._evidence(gradients, a, b) | {"value_ratio": ratio},
            remedy=f"Drop one of them and give the other the weight {self._joint_weight(gradients, a, b, ratio):.4g}.",
            location=case.locate_component(names[1]),
        )

    @staticmethod
    def _joint_weight(gradients: ObjectiveGradients, a: int, b: int, ratio: float) -> float:
        """Return the weight with which b alone does what both do: a = ratio · b."""
        return gradients.weights[b] + gradients.weights[a] * ratio

    @staticmethod
    def _evidence(gradients: ObjectiveGradients, a: int, b: int) -> dict[str, float | None]:
        names = {gradients.components[a], gradients.components[b]}
        pairs = balance.summarize(gradients).cosines
        return {"cosine": next(pair.cosine for pair in pairs if {pair.a, pair.b} == names)}

    @staticmethod
    def _split(case: Case, inner: str, outer: str) -> str:
        """Return the channels that are left for the outer of two built-in components, as advice."""
        whole, part = case.built_in.get(outer), case.built_in.get(inner)
        if not isinstance(whole, ColorComponent) or not isinstance(part, ColorComponent):
            return ""
        taken = {channel.letter for channel in selected_channels(part.space, part.channels)}
        rest = [c.letter for c in selected_channels(whole.space, whole.channels) if c.letter not in taken]
        return f" (channels: [{', '.join(rest)}])" if rest else ""


def _declared_containment(case: Case, part: str, whole: str) -> bool:
    """Whether two built-in components are the same term on channels of which one has all that the other has."""
    inner, outer = case.built_in.get(part), case.built_in.get(whole)
    if not isinstance(inner, ColorComponent) or not isinstance(outer, ColorComponent):
        return False
    same_term = inner.term == outer.term and inner.space == outer.space  # type: ignore[attr-defined]
    channels = [set(selected_channels(component.space, component.channels)) for component in (inner, outer)]
    return same_term and channels[0] <= channels[1]


def _contains(outer: Operation, inner: Operation) -> bool:
    """Whether two comparisons are of one kind and the inner one's channels, side by side, are all among the outer one's."""
    if outer.name != inner.name or len(outer.operands) != len(inner.operands) or outer is inner:
        return False
    sides = list(zip(outer.operands, inner.operands, strict=True))
    return bool(sides) and all(_among(theirs.channels, ours.channels) for ours, theirs in sides)


def _among(channels: Sequence[Statistics], others: Sequence[Statistics]) -> bool:
    """Whether every channel varies and has the statistics of one of the others."""
    return bool(channels) and all(
        channel.std > 0 and any(_equal(channel, other) for other in others) for channel in channels
    )


def _equal(a: Statistics, b: Statistics) -> bool:
    pairs = ((a.minimum, b.minimum), (a.maximum, b.maximum), (a.mean, b.mean), (a.std, b.std))
    return all(math.isclose(x, y, rel_tol=1e-5, abs_tol=1e-6 * b.magnitude) for x, y in pairs)
