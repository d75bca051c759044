"""LD103: two components pull against each other."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from .. import balance
from ..records import Finding, Severity
from .base import Case, Rule, listing, percent, rivals

if TYPE_CHECKING:
    from ..facts.gradients import Matrix, ObjectiveGradients
    from ..facts.operands import Operation


class _Pair(NamedTuple):
    """Two components of an objective, by index, and the cosine between their weighted gradients in every batch."""

    gradients: ObjectiveGradients
    a: int
    b: int

    @property
    def names(self) -> tuple[str, str]:
        return self.gradients.components[self.a], self.gradients.components[self.b]

    def cosines(self) -> list[float]:
        """Return the cosine over the parameters that both reach."""
        blocks = [block for block in self.gradients.blocks if block.reached_by[self.a] and block.reached_by[self.b]]
        batches = range(len(self.gradients.values))
        return self._of([self._sum([block.gramians[batch] for block in blocks]) for batch in batches])

    def at_output(self) -> list[float]:
        """Return the cosine over the elements of the model's output; nothing where one of them does not use it."""
        return self._of(self.gradients.output_gramians)

    def _of(self, gramians: list[Matrix] | tuple[Matrix, ...]) -> list[float]:
        sign = 1 if self.gradients.weights[self.a] * self.gradients.weights[self.b] > 0 else -1
        cosines = [balance.cosine(gramian, self.a, self.b) for gramian in gramians]
        return [sign * cosine for cosine in cosines if cosine is not None]

    def _sum(self, gramians: list[Matrix]) -> Matrix:
        size = range(len(self.gradients.components))
        return tuple(tuple(sum(gramian[i][j] for gramian in gramians) for j in size) for i in size)


class ConflictingGradients(Rule):
    """Two components that both matter ask for opposite changes of the same output, in every batch.

    The conflict of two weighted gradients is the cosine c between them (PCGrad, arXiv 2001.06782, calls every c < 0
    one). Where they are equally long, a step along their sum helps each of them 1 + c times as much as a step of its
    own, and where one is shorter than −c times the other, the step makes it worse. At c = −0.5 the sum is no longer
    than either alone: the second component adds nothing to the motion.

    A conflict in the parameters alone is usual at the start: a network that has learned nothing moves its whole output
    up or down, so that even what concerns different samples (real and fake), pixels (object and background) or heads
    conflicts, at cosines down to −0.95. So the gradients must oppose each other element by element at the model's
    output as well, or, where that is unknown, both components must compare the very same tensor.

    Where at least one of them compares the output with data, they are in conflict from −0.72. The same error towards
    the opposite target gives −1, an absolute against a squared error −√(2/π) = −0.80, while what limits itself stays
    above −1/√2 = −0.71: two views pulled together while the samples are spread (the worst are views that have nothing
    in common), a positive attracted while a negative is repelled (−1/2), a squared error that learns its own
    log-variance (−1/√3). Without data (variance and covariance, prior, critic) both are there to limit something, and
    do so at −0.96 in a healthy VICReg; only the very opposite, −0.97, counts there.

    Left out are components with the role `regularizer` and those below `least_share` of the gradient: theirs is a
    question of balance, not of direction. Weights from a checkpoint are not judged: at the optimum of any total the
    gradients of its components cancel out.

    Remedy: if they should agree, look for a sign, a swapped target, or a missing detach in one of them. If both cannot
    be had, drop one, or declare the one that only limits the other a regularizer.

    Options: `cosine` (-0.72) at the output, as a mean over at least two batches, `opposite` (-0.97) where neither has
    data. `every_batch` (-0.5) at the output in each of them, and as a mean over the parameters.
    `least_share` (0.1) of the gradient that each component must hold: a smaller one costs a larger one less than a
    twelfth of its progress.
    """

    code: ClassVar[str] = "LD103"
    name: ClassVar[str] = "conflicting-gradients"
    severity: ClassVar[Severity] = Severity.WARNING
    requires: ClassVar[tuple[str, ...]] = ("gradients",)

    cosine: float = -0.72
    opposite: float = -0.97
    every_batch: float = -0.5
    least_share: float = 0.1

    def check(self, case: Case) -> Iterator[Finding]:
        """Yield a finding for every pair of components in conflict."""
        if case.examination is not None and case.examination.checkpoint is not None:
            return
        for gradients, table in zip(case.gradients, case.objectives, strict=True):
            shares = {component.name: component.grad_share or 0.0 for component in rivals(table)}
            matter = [k for k, name in enumerate(gradients.components) if shares.get(name, 0.0) >= self.least_share]
            for a, b in combinations(matter, 2):
                pair = _Pair(gradients, a, b)
                if _mean(pair.cosines()) <= self.every_batch and self._meet(case, pair):
                    yield self._judge(case, pair, shares)

    def _meet(self, case: Case, pair: _Pair) -> bool:
        """Whether both pull at the same elements, and too hard for what they are."""
        first, second = (case.operations(pair.gradients.name, name) for name in pair.names)
        limit = self.cosine if _has_data(first) or _has_data(second) else self.opposite
        cosines = pair.at_output()
        if not cosines and _predictions(first) & _predictions(second):
            cosines = pair.cosines()
        return len(cosines) > 1 and max(cosines) <= self.every_batch and _mean(cosines) <= limit

    def _judge(self, case: Case, pair: _Pair, shares: dict[str, float]) -> Finding:
        cosines, at_output = pair.cosines(), pair.at_output()
        mean = _mean(cosines)
        small, large = sorted(pair.names, key=lambda name: shares[name])
        kept = 1 + mean * shares[large] / shares[small]
        effect = f"leaves {small} {percent(kept)} of the progress of its own" if kept > 0 else f"makes {small} worse"
        return self.finding(
            pair.names,
            f"{listing(pair.names)} pull in opposite directions (cosine {mean:.2f}) in all {len(cosines)} batches: "
            f"a step for both {effect}",
            objective=pair.gradients.name,
            evidence={
                "cosines": cosines,
                "cosines_at_output": at_output,
                "grad_share": {name: shares[name] for name in pair.names},
                "weights": {
                    name: pair.gradients.weights[k] for name, k in zip(pair.names, (pair.a, pair.b), strict=True)
                },
            },
            remedy="If they should agree, look for a sign, a swapped target or a missing detach in one of them. If "
            "both cannot be had, drop one, or declare the one that only limits the other a regularizer in loss.roles.",
            location=case.locate_component(small),
        )


def _mean(cosines: list[float]) -> float:
    return sum(cosines) / len(cosines) if cosines else 0.0


def _has_data(operations: list[Operation]) -> bool:
    """Whether a prediction is compared with something that carries no gradient and is not the same everywhere."""
    return any(
        any(operand.requires_grad for operand in operation.operands)
        and any(
            not operand.requires_grad and operand.overall.minimum < operand.overall.maximum
            for operand in operation.operands
        )
        for operation in operations
    )


def _predictions(operations: list[Operation]) -> set[tuple[object, ...]]:
    """Return what is compared; two tensors with the same shape and statistics are the same."""
    return {
        (operand.shape, operand.overall, operand.channels)
        for operation in operations
        for operand in operation.operands
        if operand.requires_grad
    }
