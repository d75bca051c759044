"""LD302: operands that are broadcast against each other by accident."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import TYPE_CHECKING, ClassVar

from ..records import Finding, Severity
from .base import Case, Rule
from .occurrences import Occurrence, is_whole, occurrences

if TYPE_CHECKING:
    from ..facts.operands import Operand, Operation

#: Losses of torch that compare element by element, and broadcast.
_LOSSES = frozenset(
    {
        "mse_loss",
        "l1_loss",
        "smooth_l1_loss",
        "huber_loss",
        "poisson_nll_loss",
        "kl_div",
        "soft_margin_loss",
        "hinge_embedding_loss",
    }
)

#: The same, written out.
_BY_HAND = frozenset({"squared difference", "absolute difference"})

#: Losses, one per sample, times a weight for each.
_WEIGHTING = "weighted losses"

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Broadcast:
    """Two shapes that became a larger one."""

    first: Shape
    second: Shape
    result: Shape
    operation: str
    spread: float | None = field(compare=False)  #: variance of the target where the loss is a square


class SilentBroadcast(Rule):
    """Two tensors with the same elements in different shapes are compared, and every one meets every other.

    [N, 1] against [N] gives N × N differences in place of N, and [B, 1, H, W] against [B, H, W] gives B × B images:
    each prediction is compared with the targets of all the other samples. Nothing crashes. The best that the model can
    then do is to predict the mean of the targets, and a perfect prediction has the loss of a random one (for a squared
    error twice the variance of the targets). torch warns of it, once, for its own losses.

    Recognised by the shapes: the operands differ in their number of dimensions, the broadcast result has more elements
    than either, and without the dimensions of size 1 they fit element by element. The same happened one step earlier
    where one of torch's losses gets [N, 1] and [N, N]: a reward of shape [N] was added to a value of [N, 1]. And one
    step later, where losses of shape [N] are multiplied by weights of shape [N, 1]: every loss gets the mean of all
    weights, which no longer weigh anything. Left alone are differences of all pairs that are meant (as many dimensions
    on both sides, [N, 1, D] and [1, M, D]; two predictions; a tensor and itself; pairs of vectors whose differences
    are used one by one), a target that is the same everywhere, and a map per image added to one per pixel. A first
    batch of one sample hides it.

    Remedy: give both sides one shape: squeeze(1) or view_as on the prediction, or unsqueeze(1) on the target.
    """

    code: ClassVar[str] = "LD302"
    name: ClassVar[str] = "silent-broadcast"
    severity: ClassVar[Severity] = Severity.ERROR
    requires: ClassVar[tuple[str, ...]] = ("gradients", "operations")
    explains: ClassVar[tuple[str, ...]] = ("LD404", "LD701", "LD704", "LD705")

    def check(self, case: Case) -> Iterator[Finding]:
        """Yield a finding for every two shapes that are broadcast by accident."""
        for found in occurrences(case, _accident):
            yield self._report(found)

    def _report(self, found: Occurrence[Broadcast]) -> Finding:
        cause = found.cause
        compared, meant = math.prod(cause.result), max(math.prod(cause.first), math.prod(cause.second))
        shapes = f"{list(cause.first)} with {list(cause.second)}", f"which broadcasts them to {list(cause.result)}"
        if cause.operation == _WEIGHTING:
            says = f"{found.does('weigh')} losses by weights, {shapes[0]}, {shapes[1]}: {compared} products in "
            says += f"place of {meant}, each loss by the weights of all the others"
        else:
            says = f"{found.does('compare')} {shapes[0]} in {cause.operation}, {shapes[1]}: {compared} differences in "
            says += f"place of {meant}, each prediction against the targets of other samples"
        if cause.spread is not None:
            says += f"; a perfect prediction would have {2 * cause.spread:.3g}"
        return self.finding(
            found.components,
            says,
            objective=found.objective,
            evidence={
                "operation": cause.operation,
                "shapes": [str(list(cause.first)), str(list(cause.second))],
                "broadcast_to": str(list(cause.result)),
                "differences": compared,
                "elements": meant,
                **({"value_of_a_perfect_prediction": 2 * cause.spread} if cause.spread is not None else {}),
            },
            remedy="Give both sides one shape: squeeze(1) on the prediction, or unsqueeze(1) on the target.",
            location=found.location,
        )


def _accident(operation: Operation) -> Broadcast | None:
    """Return what was broadcast where it cannot have been meant."""
    if len(operation.operands) < 2:
        return None
    a, b = operation.operands[:2]
    if operation.name not in _LOSSES | {_WEIGHTING} and not _matches_by_hand(operation, a, b):
        return None
    result = broadcast(a.shape, b.shape)
    if result is None or not _differ(a, b):
        return None
    if len(a.shape) == len(b.shape):
        return _widened_before(operation, a, b, result)
    most = max(math.prod(a.shape), math.prod(b.shape))
    fits_squeezed = broadcast(_squeezed(a.shape), _squeezed(b.shape)) is not None
    if math.prod(result) <= most or not fits_squeezed:
        return None
    target = b if a.requires_grad else a
    squares = operation.name in ("mse_loss", "squared difference") and operation.arguments.get("reduction") == "mean"
    return Broadcast(a.shape, b.shape, result, operation.name, target.overall.std**2 if squares else None)


def _widened_before(operation: Operation, a: Operand, b: Operand, result: Shape) -> Broadcast | None:
    """Return the broadcast that made one side a square of samples by samples, before it was compared with a column."""
    column, square = sorted((a, b), key=lambda side: math.prod(side.shape))
    samples = column.shape[0] if column.shape else 0
    if operation.name not in _LOSSES or column.shape != (samples, 1) or square.shape != (samples, samples):
        return None
    return Broadcast(a.shape, b.shape, result, operation.name, None) if samples > 1 else None


def _matches_by_hand(operation: Operation, a: Operand, b: Operand) -> bool:
    """Whether a difference that is written out is one of a prediction and its target, and not one of all pairs.

    All pairs of vectors, [N, 1, D] and [N, D], have distances that go on to a kernel or a minimum; numbers and maps
    that are weighted or masked before they are averaged do not.
    """
    if operation.name not in _BY_HAND or a.requires_grad == b.requires_grad:
        return False
    numbers_or_maps = {len(a.shape), len(b.shape)} in ({1, 2}, {3, 4})
    return is_whole(operation) or numbers_or_maps


def _differ(a: Operand, b: Operand) -> bool:
    """Whether it matters which element meets which: neither is constant, and they are not one tensor."""
    return a.overall != b.overall and all(side.overall.minimum < side.overall.maximum for side in (a, b))


def broadcast(a: Sequence[int], b: Sequence[int]) -> Shape | None:
    """Return the shape that two shapes are broadcast to, None where they are not."""
    pairs = list(zip_longest(reversed(a), reversed(b), fillvalue=1))
    if any(m != n and 1 not in (m, n) for m, n in pairs):
        return None
    return tuple(n if m == 1 else m for m, n in reversed(pairs))


def _squeezed(shape: Shape) -> Shape:
    return tuple(size for size in shape if size != 1)
