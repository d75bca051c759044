"""LD605: a gradient so small that the weights stay what they are."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from ..records import Finding, Severity
from .base import Case, Rule, percent

if TYPE_CHECKING:
    from ..facts.gradients import ObjectiveGradients
    from ..facts.parameters import ParameterFacts, ParameterSize

#: Half the distance from 1 to the next number, by dtype: what is smaller, relative to a value, is rounded away.
ROUNDOFF = {"float64": 2.0**-53, "float32": 2.0**-24, "float16": 2.0**-11, "bfloat16": 2.0**-8}

#: A factor that starts this small (LayerScale starts at 1e-6) lets little through until it has grown.
GATE = 1e-3

NO_USABLE_GRADIENT = "Look at the units of the loss and at the initialisation: no weight gets a usable gradient."
LOST_ON_THE_WAY = (
    "Use rectifying activations, normalisation or residual connections on the way to these weights, and an "
    "initialisation with the gain of the activation."
)


class _Parameter(NamedTuple):
    """A trainable parameter, and the root mean square of its gradient: at most, all components added up."""

    name: str
    size: ParameterSize
    gradient: float

    def vanishes(self, epsilon: float) -> bool:
        """Whether neither plain descent nor Adam changes it."""
        return self.gradient < min(epsilon, ROUNDOFF.get(self.size.dtype, 0.0) * self.size.rms)

    def is_gate(self, epsilon: float) -> bool:
        """Whether it is a small factor, and no bias, that will grow: its own gradient is there."""
        is_bias = "bias" in self.name.rsplit(".", 1)[-1]
        return self.size.rms < GATE and not is_bias and not self.vanishes(epsilon)


class VanishingGradient(Rule):
    """The gradient of some weights is so small that they keep their values, to the precision they are stored in.

    A step of plain gradient descent changes a weight only where learning rate times gradient is more than half the
    distance to the next number: 2⁻²⁴ of its value in float32, 2⁻⁸ in bfloat16. So at a learning rate of 1, larger than
    any in use, a gradient below that part of the weights is lost entirely. Adam does not mind small gradients, but only
    down to its own epsilon of 1e-8: below that it divides by the epsilon instead of the gradient, and its steps vanish
    in proportion. A weight counts where both are true of the root mean square over its elements (of the sum of all
    components' norms, so that nothing can add up to more). For comparison: Amazon SageMaker Debugger warns of a mean
    below 1e-7, AUTOTRAINER of first layers below 1e-3 of the last.

    Small gradients of one component (the residual of a physics-informed network at the start) do not count, nor do
    biases (in front of a normalisation, theirs is zero but for rounding), nor what is exactly zero (LD502, LD503). A
    model with a factor that starts almost at zero (a LayerScale of 1e-6) and has a gradient of its own is not judged:
    the factor grows first. With a checkpoint, all gradients small together are no fault: that is what a minimum looks
    like.

    Usual causes: many sigmoid or tanh layers in a row, an initialisation that is too small for the depth, units in
    which the loss is tiny (metres where nanometres are measured), saturated activations (LD606).

    Remedy: rectifying activations, normalisation or residual connections, an initialisation with the gain of the
    activation; where the whole loss is tiny, other units.

    Options: `epsilon` (1e-8) of Adam. `least_share` (0.05) of the scalars in all weights with a gradient.
    """

    code: ClassVar[str] = "LD605"
    name: ClassVar[str] = "vanishing-gradient"
    severity: ClassVar[Severity] = Severity.WARNING
    requires: ClassVar[tuple[str, ...]] = ("gradients", "parameters")

    epsilon: float = 1e-8
    least_share: float = 0.05

    def check(self, case: Case) -> Iterator[Finding]:
        """Yield one finding for all weights of an objective whose gradient vanishes."""
        facts = case.examination.parameters if case.examination else None
        trained = case.examination is not None and case.examination.checkpoint is not None
        for gradients in case.gradients if facts else ():
            parameters = _parameters(gradients, facts) if facts else []
            weights = [parameter for parameter in parameters if parameter.size.dimensions > 1]
            lost = [weight for weight in weights if weight.vanishes(self.epsilon)]
            excused = any(parameter.is_gate(self.epsilon) for parameter in parameters) or (trained and lost == weights)
            if lost and not excused and _scalars(lost) >= self.least_share * _scalars(weights):
                yield self._judge(case, gradients.name, weights, lost)

    def _judge(self, case: Case, objective: str, weights: Sequence[_Parameter], lost: Sequence[_Parameter]) -> Finding:
        least = min(lost, key=lambda weight: weight.gradient)
        most = max(weights, key=lambda weight: weight.gradient)
        share = _scalars(lost) / _scalars(weights)
        return self.finding(
            [],
            f"the gradient of {_some([weight.name for weight in lost])} ({percent(share)} of all weights) is too small "
            f"to change them: {least.gradient:.2g} in {least.name}, whose values are around {least.size.rms:.2g}"
            + (f", and {most.gradient:.2g} in {most.name}" if most not in lost else ""),
            objective=objective,
            evidence={
                "share": share,
                "gradients": {weight.name: weight.gradient for weight in (*lost[:5], most)},
                "values": {weight.name: weight.size.rms for weight in lost[:5]},
                "dtype": least.size.dtype,
                "weights": len(lost),
            },
            remedy=NO_USABLE_GRADIENT if most in lost else LOST_ON_THE_WAY,
            location=case.locate("model", "target"),
        )


def _parameters(gradients: ObjectiveGradients, facts: ParameterFacts) -> list[_Parameter]:
    """Return the parameters whose gradient is finite and not exactly zero."""
    found = []
    for name, norms in gradients.parameter_norms.items():
        bound = sum(abs(w) * norm for w, norm in zip(gradients.weights, norms, strict=True) if norm is not None and w)
        size = facts.sizes.get(name)
        if size is not None and 0 < bound < math.inf:
            found.append(_Parameter(name, size, bound / math.sqrt(size.scalars)))
    return found


def _scalars(parameters: Sequence[_Parameter]) -> int:
    return sum(parameter.size.scalars for parameter in parameters)


def _some(names: Sequence[str]) -> str:
    if len(names) < 3:
        return " and ".join(names)
    return f"{names[0]}, {names[1]} and {len(names) - 2} more"
