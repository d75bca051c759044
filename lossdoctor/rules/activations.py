"""Predictions whose range is known, because an activation is the last thing that they came through."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Hashable, Iterator, Mapping
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from .occurrences import Occurrence, is_whole, occurrences
from .origins import came_through_layers, made_by

if TYPE_CHECKING:
    from ..facts.operands import Operand, Operation
    from ..facts.outputs import Output
    from ..facts.statistics import Statistics
    from .base import Case

#: The values that an activation can give, by the name that torch has for it. Functions whose range an argument sets
#: (clamp, hardtanh, ReLU6) are left out. gelu, silu and mish: their minima, rounded outwards.
SUPPORTS: Mapping[str, tuple[float, float]] = {
    "sigmoid": (0, 1),
    "hardsigmoid": (0, 1),
    "softmax": (0, 1),
    "tanh": (-1, 1),
    "softsign": (-1, 1),
    "relu": (0, math.inf),
    "softplus": (0, math.inf),
    "exp": (0, math.inf),
    "abs": (0, math.inf),
    "square": (0, math.inf),
    "sqrt": (0, math.inf),
    "elu": (-1, math.inf),
    "gelu": (-0.1701, math.inf),
    "silu": (-0.2785, math.inf),
    "mish": (-0.3089, math.inf),
    "logsigmoid": (-math.inf, 0),
    "log_softmax": (-math.inf, 0),
}

#: Activations that give probabilities.
PROBABILITIES = frozenset({"sigmoid", "hardsigmoid", "softmax"})

#: Element by element, so that each prediction has one target to reach.
_REGRESSIONS = frozenset(
    {
        "mse_loss",
        "l1_loss",
        "smooth_l1_loss",
        "huber_loss",
        "absolute difference",
        "squared difference",
        "norm of a difference",
    }
)

#: How far rounding in half precision may carry a value beyond the end of a range.
_ROUNDING = 0.01

Cause = TypeVar("Cause", bound=Hashable)


class BoundedPrediction(NamedTuple):
    """A prediction straight out of an activation, and the data that it is compared with."""

    activation: str
    shape: tuple[int, ...]
    prediction: Statistics
    target: Statistics
    target_channels: tuple[Statistics, ...]  #: at least one: of all channels together where they are not told apart
    whole: bool  #: every element counts alike; else some may be masked, and what is masked is no target

    @property
    def support(self) -> tuple[float, float]:
        """Least and greatest value that the activation can give."""
        return SUPPORTS[self.activation]

    @property
    def misses_8_bit_images(self) -> bool:
        """Whether the data are images in 0–255 and the activation ends at 1."""
        images = len(self.shape) in (4, 5) and self.target.minimum >= -0.5 and 200 < self.target.maximum <= 255.5
        return images and self.whole and self.support[1] <= 1


def bounded_predictions(case: Case, judge: Callable[[BoundedPrediction], Cause | None]) -> Iterator[Occurrence[Cause]]:
    """Yield what `judge` sees in the bounded predictions of every objective.

    Built-in components convert colours on the way, so there the model's own output is looked at: they take it as it is.
    """
    if not case.built_in:
        learned = _learned(case)
        yield from occurrences(case, lambda operation: _judged(_regression(operation, learned), judge))
        return
    outputs = (case.examination.outputs if case.examination else None) or ()
    names = tuple(
        component.name
        for objective in case.objectives
        for component in objective.components
        if component.weight != 0 and case.term(component.name) != "tv"
    )
    for output in outputs if names else ():
        if (cause := _judged(_bounded_output(output), judge)) is not None:
            yield Occurrence("total", names, cause, case.locate("model", "target"))


def describe_support(activation: str) -> str:
    """Return the range of an activation: "0 … 1", "0 … ∞"."""
    least, most = SUPPORTS[activation]
    return f"{'-∞' if least == -math.inf else f'{least:g}'} … {'∞' if most == math.inf else f'{most:g}'}"


def _judged(bounded: BoundedPrediction | None, judge: Callable[[BoundedPrediction], Cause | None]) -> Cause | None:
    return None if bounded is None else judge(bounded)


def _learned(case: Case) -> set[Statistics]:
    """Return the distributions of what is trained, by which it is known again where it was detached."""
    traced = (case.examination.operations if case.examination else None) or ()
    return {operand.overall for operation in traced for operand in operation.operands if operand.requires_grad}


def _regression(operation: Operation, learned: Collection[Statistics]) -> BoundedPrediction | None:
    """Return the two sides of a regression on data, None where it is something else.

    What a network made, or what is trained elsewhere (the codes of a VQ-VAE), is no data: it may still come to where
    it can be reached.
    """
    if operation.name not in _REGRESSIONS or len(operation.operands) != 2:
        return None
    prediction, target = sorted(operation.operands, key=lambda operand: not operand.requires_grad)
    comparable = prediction.shape == target.shape or math.prod(target.shape) == 1
    if not prediction.requires_grad or target.requires_grad or not comparable:
        return None
    if came_through_layers(target) or target.overall in learned:
        return None
    return _bounded(made_by(prediction), prediction, target.overall, target.channels, whole=is_whole(operation))


def _bounded_output(output: Output) -> BoundedPrediction | None:
    return _bounded(output.activation or "", output, output.target, (), whole=True) if output.target else None


def _bounded(
    activation: str, seen: Operand | Output, target: Statistics, channels: tuple[Statistics, ...], *, whole: bool
) -> BoundedPrediction | None:
    """Return a bounded prediction; None without an activation, or where the values show that there was more to it."""
    if activation not in SUPPORTS or math.isnan(target.mean):
        return None
    least, most = SUPPORTS[activation]
    if not least - _ROUNDING <= seen.overall.minimum <= seen.overall.maximum <= most + _ROUNDING:
        return None
    return BoundedPrediction(activation, seen.shape, seen.overall, target, channels or (target,), whole)
