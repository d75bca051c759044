"""What entered the operations inside the loss."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..records import Location
from .statistics import Statistics


@dataclass(frozen=True)
class Operand:
    """A tensor that entered an operation, summarised over all batches."""

    name: str  #: the operation's own name for it: "input", "target", …
    shape: tuple[int, ...]  #: in the first batch
    dtype: str
    requires_grad: bool  #: carries gradient back towards the model
    overall: Statistics
    channels: tuple[Statistics, ...] = ()  #: along dimension 1 of (N, C, …), where there are at most 64
    row_sum: tuple[float, float] | None = None  #: least and greatest sum over dimension 1
    integral: bool = False  #: every element is a whole number
    origin: tuple[str, ...] = ()  #: the operations and functions it came through, nearest first


@dataclass(frozen=True)
class Slope:
    """How an unweighted component changes with the result of a comparison: ∂L/∂result, where it is not zero."""

    minimum: float  #: over all elements and batches
    maximum: float
    uniform: bool  #: in every batch it is the same for all elements that count: none is weighted
    partial: bool = False  #: it is zero for some elements: they are masked out
    bounded: bool = False  #: on its way to the component the result passes something that is flat beyond a margin
    detached: bool = False  #: what is compared with was cut from the loss's own graph, as in self-supervision


@dataclass(frozen=True)
class Operation:
    """An operation inside the loss that compares tensors or cuts the gradient, and what entered it."""

    name: str  #: "mse_loss", "cross_entropy", "abs(a - b)", …
    components: tuple[str, ...]  #: "objective.component" of every component it ended up in
    operands: tuple[Operand, ...]
    arguments: Mapping[str, Any] = field(default_factory=dict)  #: reduction and the like
    result_shape: tuple[int, ...] = ()
    cuts_gradient: bool = False  #: something with gradient went in, and nothing with gradient came out
    slopes: Mapping[str, Slope] = field(default_factory=dict)  #: by "objective.component"; none where it is zero
    trained_outside: int = 0
    """Scalars of a network outside the model through which alone one of two operands carries gradient."""
    location: Location | None = None  #: the line of the user's own source that called it
    sum_of: tuple[str, ...] = ()  #: those of the components that are nothing but the sum of its elements
