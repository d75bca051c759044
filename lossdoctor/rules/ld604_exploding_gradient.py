"""LD604: a gradient so long that no step along it can be useful."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from ..records import Finding, Severity
from .base import Case, Rule

if TYPE_CHECKING:
    from ..facts.gradients import ObjectiveGradients
    from ..facts.parameters import ParameterFacts


class _Length(NamedTuple):
    """The gradient of one component against the parameters that it reaches; L2 norms."""

    gradient: float
    parameters: float
    steepest: str  #: the parameter with the longest gradient for its size

    @property
    def ratio(self) -> float:
        return self.gradient / self.parameters


class ExplodingGradient(Rule):
    """The gradient of a component is so long that no learning rate in use makes a useful step along it.

    Its norm is compared with the norm of the parameters that it reaches. At a ratio of 1e7, even a learning rate of
    1e-7, the smallest that is in use (UMLAUT, CHI 2021), leaves nothing of the parameters after one step: the length of
    the step equals theirs. Amazon SageMaker Debugger gives up at ten times that (WeightUpdateRatio), TheDeepChecker
    (arXiv 2204.00694) at a mean of 1e6, which is the same for weights around 0.1. An optimizer that scales its steps,
    as Adam does, moves on, but where the length comes from a division by almost nothing, the direction is noise.

    Long gradients as such are usual. So of a component that sums over elements, the gradient of one element counts
    (LD301 judges the sum), and a weight counts only where it makes the gradient shorter (LD101 judges large weights).

    Usual causes: a division, root or logarithm near zero whose epsilon is far too small (1e-12), a vector of length
    zero that is normalised, an exponential of large numbers, an initialisation whose gain multiplies from layer to
    layer, a recurrence over many steps, units such as nanometres.

    Remedy: make the epsilon as large as the precision of the data, or bound what enters the operation; initialise with
    the gain of the activation; normalise inputs and targets. Clipping the norm keeps the weights alive, but the clipped
    gradient still points where that one operation says.

    Options: `learning_rate` (1e-7) and `update_ratio` (1), whose quotient is the limit.
    """

    code: ClassVar[str] = "LD604"
    name: ClassVar[str] = "exploding-gradient"
    severity: ClassVar[Severity] = Severity.ERROR
    requires: ClassVar[tuple[str, ...]] = ("gradients", "parameters")
    explains: ClassVar[tuple[str, ...]] = ("LD101", "LD104")
    overshadows: ClassVar[tuple[str, ...]] = ("LD102", "LD104")

    learning_rate: float = 1e-7
    update_ratio: float = 1.0

    def check(self, case: Case) -> Iterator[Finding]:
        """Yield a finding for every component whose gradient has exploded."""
        parameters = case.examination.parameters if case.examination else None
        for gradients in case.gradients if parameters else ():
            for k, name in enumerate(gradients.components):
                elements = _summed_elements(case, gradients.name, name)
                length = _length(gradients, k, parameters, elements) if parameters else None
                if length and length.ratio * self.learning_rate >= self.update_ratio:
                    yield self._judge(case, gradients.name, name, length)

    def _judge(self, case: Case, objective: str, name: str, length: _Length) -> Finding:
        return self.finding(
            [name],
            f"the gradient of {name} is {length.ratio:.2g} times as long as the parameters it reaches: even a learning "
            f"rate of {self.learning_rate:g} would change them by {length.ratio * self.learning_rate:.2g} times their "
            "size in one step",
            objective=objective,
            evidence={
                "grad_norm": length.gradient,
                "parameter_norm": length.parameters,
                "steepest": length.steepest,
            },
            remedy="Look for a division, root, logarithm or normalisation near zero with too small an epsilon, for an "
            "exponential, for a gain that multiplies from layer to layer, and for units that make huge numbers.",
            location=case.locate_component(name),
        )


def _length(gradients: ObjectiveGradients, k: int, parameters: ParameterFacts, elements: int) -> _Length | None:
    """Return how long the gradient of a component is for one element; None where it has none or it is not finite."""
    scale = min(abs(gradients.weights[k]), 1.0) / elements
    norms = {
        name: norm * scale
        for name, components in gradients.parameter_norms.items()
        if (norm := components[k]) is not None and name in parameters.sizes
    }
    sizes = {name: parameters.sizes[name].norm for name in norms}
    gradient, size = math.hypot(*norms.values()), math.hypot(*sizes.values())
    if not gradient or not size or not math.isfinite(gradient):
        return None
    return _Length(gradient, size, max(norms, key=lambda name: norms[name] / (sizes[name] or size)))


def _summed_elements(case: Case, objective: str, component: str) -> int:
    """Return how many elements a component adds up; 1 where it takes a mean, or where that is unknown."""
    operations = case.operations(objective, component)
    if not operations or any(operation.arguments.get("reduction") != "sum" for operation in operations):
        return 1
    return max(math.prod(operand.shape) for operation in operations for operand in operation.operands) or 1
