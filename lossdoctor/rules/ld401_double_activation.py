"""LD401: softmax or sigmoid before a loss that applies it again."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from ..records import Finding, Severity
from .activations import PROBABILITIES
from .base import Case, Rule
from .occurrences import Occurrence, occurrences
from .origins import operations_before

if TYPE_CHECKING:
    from ..facts.operands import Operand, Operation

#: Losses that apply a sigmoid to what they are given. multilabel_soft_margin_loss is a binary cross-entropy, and
#: soft_margin_loss, log(1 + exp(−y x)), is one of labels ±1.
_APPLY_SIGMOID = frozenset({"binary_cross_entropy_with_logits", "multilabel_soft_margin_loss", "soft_margin_loss"})

#: The second activations themselves, where they are not part of one of torch's losses.
_SECOND = frozenset({"sigmoid", "hardsigmoid", "logsigmoid", "softmax", "log_softmax"})

#: Operations that leave probabilities what they are.
_KEEPING = frozenset({"clamp", "clip", "nan_to_num", "interpolate", "upsample"})

#: How far the sum of a softmax may be off 1, in half precision.
_ROUNDING = 0.01


@dataclass(frozen=True)
class DoubleApplication:
    """Probabilities that entered a loss as if they were logits."""

    activation: str
    loss: str
    classes: int  #: 2 for a sigmoid
    given: Operand = field(compare=False)


class DoubleActivation(Rule):
    """Probabilities enter a loss that applies softmax or sigmoid itself, so the activation is applied twice.

    `cross_entropy` and `binary_cross_entropy_with_logits` take logits. What is in [0, 1] already becomes nearly the
    same probability for every class: with C classes a cross-entropy cannot fall below ln((e + C - 1) / e), 1.46 for
    10 classes and 5.91 for 1000, and a binary one not below 0.693 for negatives and 0.313 for positives, however good
    the prediction is. The gradient passes two flat functions. Training goes on, slowly, and ends early.

    The same goes for a sigmoid or softmax that a loss of probabilities (Dice, Jaccard) applies to what has one already:
    what comes out of a second sigmoid lies between 0.5 and 0.731.

    Recognised by what the input of the loss came straight out of, clamping and resizing aside, or, for a
    cross-entropy, by rows that are not negative and add up to 1. log_softmax twice changes nothing and is no fault,
    nor is the logarithm of probabilities.

    Remedy: give the loss the logits: drop the activation from the model and apply it where predictions are used. Or
    keep it and use the loss for probabilities (`nll_loss` of their logarithm, `binary_cross_entropy`).
    """

    code: ClassVar[str] = "LD401"
    name: ClassVar[str] = "double-activation"
    severity: ClassVar[Severity] = Severity.ERROR
    requires: ClassVar[tuple[str, ...]] = ("gradients", "operations")
    explains: ClassVar[tuple[str, ...]] = ("LD404", "LD605", "LD606", "LD701", "LD705")

    def check(self, case: Case) -> Iterator[Finding]:
        """Yield a finding for every activation that is applied twice."""
        for found in occurrences(case, _applied_twice):
            yield self._by_hand(found) if found.cause.loss in _SECOND else self._report(found)

    def _by_hand(self, found: Occurrence[DoubleApplication]) -> Finding:
        cause = found.cause
        return self.finding(
            found.components,
            f"{found.does('put')} a {cause.loss} behind a {cause.activation}: {_describe_range(cause)}",
            objective=found.objective,
            evidence={
                "activation": cause.activation,
                "applied_again": cause.loss,
                "input": [cause.given.overall.minimum, cause.given.overall.maximum],
            },
            remedy=f"Drop the {cause.activation} or the {cause.loss}.",
            location=found.location,
        )

    def _report(self, found: Occurrence[DoubleApplication]) -> Finding:
        cause = found.cause
        return self.finding(
            found.components,
            f"{found.does('give')} {cause.loss} what came out of a {cause.activation}, and {cause.loss} "
            f"applies {'a sigmoid' if cause.loss in _APPLY_SIGMOID else 'a softmax'} itself: {_describe_floor(cause)}",
            objective=found.objective,
            evidence={
                "activation": cause.activation,
                "input": [cause.given.overall.minimum, cause.given.overall.maximum],
                "floor": floor(cause.classes),
                **({"classes": cause.classes} if cause.loss not in _APPLY_SIGMOID else {}),
                **({"row_sums": list(cause.given.row_sum)} if cause.given.row_sum else {}),
            },
            remedy=f"Give {cause.loss} the logits: drop the {cause.activation} before it.",
            location=found.location,
        )


def floor(classes: int) -> float:
    """Return the least cross-entropy of a softmax over values in [0, 1]: the right class at 1, all others at 0.

    ln((e + C − 1) / e). For C = 2 it is that of a sigmoid of 1, a positive that a binary loss is sure of.
    """
    return math.log1p((classes - 1) / math.e)


def _describe_floor(cause: DoubleApplication) -> str:
    if cause.loss in _APPLY_SIGMOID:
        return f"it cannot fall below {math.log(2):.3f} where the label is 0, nor below {floor(2):.3f} where it is 1"
    return f"with {cause.classes} classes it cannot fall below {floor(cause.classes):.3f}"


def _describe_range(cause: DoubleApplication) -> str:
    """Return what a second activation makes of probabilities."""
    if "sigmoid" in cause.loss:
        return "no probability can fall below 0.5 or rise above 0.731"
    least, most = 1 / (1 + (cause.classes - 1) * math.e), math.e / (math.e + cause.classes - 1)
    return f"with {cause.classes} classes no probability can fall below {least:.3g} or rise above {most:.3g}"


def _applied_twice(operation: Operation) -> DoubleApplication | None:
    """Return the activation that a loss repeats, None where it was given logits."""
    given = next((operand for operand in operation.operands if operand.name == "input"), None)
    if given is None or not -_ROUNDING <= given.overall.minimum <= given.overall.maximum <= 1 + _ROUNDING:
        return None
    activation = _activation_before(given)
    if operation.name in _APPLY_SIGMOID:
        return DoubleApplication(activation, operation.name, 2, given) if activation else None
    classes = given.shape[1] if len(given.shape) > 1 else math.prod(given.shape)
    if operation.name in _SECOND:
        return DoubleApplication(activation, operation.name, classes, given) if activation else None
    if operation.name != "cross_entropy" or classes < 2:
        return None
    if activation is None and _adds_up_to_one(given):
        activation = "normalisation"
    return DoubleApplication(activation, operation.name, classes, given) if activation else None


def _activation_before(operand: Operand) -> str | None:
    """Return the activation that an operand came out of, unchanged since but for clamping and resizing."""
    nearest = next((name for name in operations_before(operand) if name not in _KEEPING), None)
    return nearest if nearest in PROBABILITIES else None


def _adds_up_to_one(operand: Operand) -> bool:
    return operand.row_sum is not None and all(abs(end - 1) <= _ROUNDING for end in operand.row_sum)
