"""LD303: a KL divergence averaged over the classes."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from ..records import Finding, Severity
from .base import Case, Expected, Rule
from .occurrences import Occurrence, occurrences

if TYPE_CHECKING:
    from ..facts.operands import Operation


@dataclass(frozen=True)
class Averaged:
    """A KL divergence that is too small by a factor."""

    factor: int  #: elements per sample
    shape: tuple[int, ...] = field(compare=False)


class KlReduction(Rule):
    """A KL divergence is averaged over its elements, which makes it too small by the number of classes.

    The divergence of two distributions is a sum over the classes. `kl_div` averages over all elements by default
    (`reduction="mean"`), so a batch of N distributions over C classes is divided by N · C in place of N: with 100
    classes a distillation term has a hundredth of the weight that the paper gave it. PyTorch's documentation says so
    itself: `reduction="mean"` doesn't return the true KL divergence value, please use `"batchmean"`.

    Recognised by the `reduction`, or by what is taken of the elements with `reduction="none"`. It may be kept on
    purpose (published weights were found with it): a warning.

    Remedy: `reduction="batchmean"`, with tokens and pixels moved into the batch dimension, or `.sum(-1).mean()`. A
    weight that was tuned with the mean has to be divided by the factor.
    """

    code: ClassVar[str] = "LD303"
    name: ClassVar[str] = "kl-reduction"
    severity: ClassVar[Severity] = Severity.WARNING
    requires: ClassVar[tuple[str, ...]] = ("gradients", "operations")
    settled_by: ClassVar[tuple[str, ...]] = ("measurement", "config")
    explains: ClassVar[tuple[str, ...]] = ("LD102",)

    def check(self, case: Case) -> Iterator[Finding]:
        """Yield a finding for every divergence that is averaged over classes."""
        for found in occurrences(case, _averaged):
            yield self._report(found)

    def check_expected(self, case: Case, expected: Expected) -> Iterator[Finding]:  # noqa: ARG002 - nothing in them counts
        """Yield nothing: no built-in component is a divergence."""
        return iter(())

    def _report(self, found: Occurrence[Averaged]) -> Finding:
        cause = found.cause
        return self.finding(
            found.components,
            f"{found.does('average')} a KL divergence over all elements of {list(cause.shape)}: "
            f"it is {cause.factor} times smaller than the divergence per sample",
            objective=found.objective,
            evidence={"reduction": "mean", "shape": str(list(cause.shape)), "factor": cause.factor},
            remedy=f'Use reduction="batchmean"; divide a weight that was tuned with the mean by {cause.factor}.',
            location=found.location,
        )


def _averaged(operation: Operation) -> Averaged | None:
    if operation.name != "kl_div" or operation.arguments.get("reduction") != "mean" or not operation.operands:
        return None
    shape = max((operand.shape for operand in operation.operands), key=math.prod)
    # Of a single distribution without a batch dimension, batchmean would divide by the classes as well.
    factor = math.prod(shape[1:])
    return Averaged(factor, shape) if factor > 1 else None
