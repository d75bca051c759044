"""One comparison in a component of user code, as the trace of a loss gives it: for the tests of operand rules."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from lossdoctor.facts.operands import Operand
from lossdoctor.facts.statistics import Statistics
from lossdoctor.rules.base import Case

from .cases import case, gradients, operation, spread

STEP = {"step": "my_project.train:losses"}


def side(
    minimum: float | Statistics,
    maximum: float = 0.0,
    *,
    mean: float | None = None,
    std: float | None = None,
    name: str = "input",
    shape: Sequence[int] = (8, 10),
    channels: Sequence[Statistics] = (),
    grad: bool = False,
    origin: Sequence[str] = (),
    row_sum: tuple[float, float] | None = None,
    integral: bool = False,
) -> Operand:
    """Return an operand with this range; mean and deviation of a uniform distribution where not given."""
    overall = minimum if isinstance(minimum, Statistics) else spread(minimum, maximum, mean, std)
    return Operand(name, tuple(shape), "float32", grad, overall, tuple(channels), row_sum, integral, tuple(origin))


def prediction(minimum: float, maximum: float, *origin: str, **more) -> Operand:
    return side(minimum, maximum, grad=True, origin=origin, **more)


def target(minimum: float, maximum: float, **more) -> Operand:
    return side(minimum, maximum, **{"name": "target", **more})


def loss_of(name: str, *operands: Operand, result: Sequence[int] = (), of="loss", **arguments) -> Case:
    """Return a case of one objective, whose component `loss` is this operation, beside a component `other`."""
    traced = operation(name, *operands, of=of, result=result)
    facts = gradients(loss=(1.0, 1.0), other=(1.0, 1.0))
    return case(facts, operations=[replace(traced, arguments={"reduction": "mean", **arguments})], config=STEP)
