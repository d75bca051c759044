"""LD402: a loss of log-probabilities that is given something else."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from ..records import Finding, Severity
from .activations import PROBABILITIES
from .base import Case, Rule
from .occurrences import Occurrence, occurrences
from .origins import made_by, operations_before

if TYPE_CHECKING:
    from ..facts.operands import Operand, Operation

#: Losses of log-probabilities, and the operand that has to hold them.
_LOSSES = {"kl_div": "input", "nll_loss": "input", "ctc_loss": "log_probs"}

_SCALING = frozenset({"mul", "multiply", "div", "divide", "true_divide", "neg", "negative"})

#: The logarithm of a probability plus a small constant may be a little above 0.
_EPSILON_IN_LOG = 0.01


@dataclass(frozen=True)
class NoLogarithm:
    """What a loss was given in the place of log-probabilities."""

    loss: str
    kind: str  #: "probabilities" or "logits"
    swapped: bool  #: the prediction is on the target's side
    given: Operand = field(compare=False)


class NotLogProbabilities(Rule):
    """A loss that takes the logarithms of probabilities is given probabilities or logits.

    `kl_div`, `nll_loss` and `ctc_loss` compute nothing but products of their input with the target: the logarithm has
    to be there already. Of probabilities, nll_loss is the mean of -p, between -1 and 0, and its gradient does not grow
    where the model is wrong; kl_div is negative, and its best is all weight on the likeliest class. Of logits, both
    fall without end: making the logits larger is enough.

    Recognised by values above `tolerance`: a log-probability never is. (0.01 where the last operation is a logarithm,
    which may be of a probability plus a small constant.) Rows that add up to 1, or a softmax or sigmoid, tell
    probabilities from logits.

    Remedy: `log_softmax` in the place of softmax, `F.log_softmax(logits, dim=1)` for logits, or `cross_entropy`, which
    takes logits. `kl_div(log_prediction, target)`: the prediction comes first.

    Options: `tolerance` (1e-6), above which a value is no log-probability.
    """

    code: ClassVar[str] = "LD402"
    name: ClassVar[str] = "not-log-probabilities"
    severity: ClassVar[Severity] = Severity.ERROR
    requires: ClassVar[tuple[str, ...]] = ("gradients", "operations")
    explains: ClassVar[tuple[str, ...]] = ("LD403", "LD404", "LD405", "LD702", "LD703")

    tolerance: float = 1e-6

    def check(self, case: Case) -> Iterator[Finding]:
        """Yield a finding for every loss of log-probabilities that is given something else."""
        for found in occurrences(case, self._no_logarithm):
            yield self._report(found)

    def _no_logarithm(self, operation: Operation) -> NoLogarithm | None:
        wanted = _LOSSES.get(operation.name)
        given = next((operand for operand in operation.operands if operand.name == wanted), None)
        if given is None or not given.overall.maximum > self._limit(given):
            return None
        swapped = not given.requires_grad and any(operand.requires_grad for operand in operation.operands)
        return NoLogarithm(operation.name, _kind(given), swapped, given)

    def _limit(self, given: Operand) -> float:
        """Return what no log-probability is above; one that was scaled since, by an advantage say, may be anywhere."""
        before = operations_before(given)
        if before[:1] and before[0] in _SCALING and before[1:2] and before[1].startswith("log"):
            return math.inf
        return max(self.tolerance, _EPSILON_IN_LOG) if made_by(given) == "log" else self.tolerance

    def _report(self, found: Occurrence[NoLogarithm]) -> Finding:
        cause = found.cause
        what = "the target's probabilities as its input" if cause.swapped else cause.kind
        return self.finding(
            found.components,
            f"{found.does('give')} {cause.loss} {what} (up to {cause.given.overall.maximum:.3g}) where it takes "
            f"log-probabilities, which are never above 0: {_effect(cause)}",
            objective=found.objective,
            evidence={
                "kind": cause.kind,
                "input": [cause.given.overall.minimum, cause.given.overall.maximum],
                **({"row_sums": list(cause.given.row_sum)} if cause.given.row_sum else {}),
            },
            remedy=f"Swap the operands: {cause.loss}(log_prediction, target)."
            if cause.swapped
            else "Give it log_softmax(logits, dim=1)"
            + (" in the place of softmax." if cause.kind == "probabilities" else ", or use cross_entropy."),
            location=found.location,
        )


def _kind(given: Operand) -> str:
    within = given.overall.minimum >= 0 and given.overall.maximum <= 1.01
    adds_up = given.row_sum is not None and all(abs(end - 1) < 0.01 for end in given.row_sum)
    known = adds_up or made_by(given) in PROBABILITIES or not given.requires_grad
    return "probabilities" if within and known else "logits"


def _effect(cause: NoLogarithm) -> str:
    if cause.swapped:
        return "prediction and target have changed places"
    if cause.kind == "logits":
        return "it falls without end as they grow"
    return "its value is negative, and being wrong costs no more than being unsure"
