"""What became of the loss where one thing was changed: one record for each probe."""

from __future__ import annotations

from dataclasses import dataclass

from ..records import Location
from .anomalies import Anomaly
from .statistics import Statistics


@dataclass(frozen=True)
class Duplication:
    """The unweighted value of a component on a batch, and on the same batch with every sample in it twice."""

    objective: str
    component: str
    value: float
    doubled: float | None  #: None where the doubled batch did not give the component
    tripled: float | None = None  #: with every sample three times; measured where something may have doubled


@dataclass(frozen=True)
class Tiling:
    """The unweighted value of a component on a batch, and on the same batch with its images or sequences repeated."""

    objective: str
    component: str
    value: float
    tiled: float | None  #: None where the tiled batch did not give the component
    factor: int  #: by which the number of elements grew
    reads_elements: bool | None  #: it was computed from an output that has grown, too; None where none is known


@dataclass(frozen=True)
class Edge:
    """What became of the loss on a batch, or an output, that is rare but real, such as one with a black image."""

    name: str
    anomalies: tuple[Anomaly, ...] = ()  #: of the components that are not finite there
    refused: str | None = None  #: why the user's code could not be run on it


@dataclass(frozen=True)
class HalfPrecision:
    """A component that is sound in fp32 and not in half precision."""

    objective: str
    component: str
    precision: str  #: "fp16" or "bf16"
    configured: bool  #: it is the precision that the loss is meant to be trained in
    where: str  #: "value" or "gradient"
    problem: str  #: "not finite" or "zero"
    by_range: bool = False  #: only in fp16, whose range is narrow; in both it is the precision
    largest_gradient: float | None = None  #: the largest element of its gradient in fp32, unscaled
    largest_result: float | None = None  #: of the operation, in fp32
    operation: str | None = None  #: that made the first NaN or infinity
    location: Location | None = None


@dataclass(frozen=True)
class TotalComponent:
    """What a component contributes to the scalar that is backpropagated."""

    name: str
    weight: float  #: that it should have
    effective: float | None  #: that it has: the part of ∇total along its gradient; None where others share that
    response: float | None = None
    """d total / d (weight · value) as its weight grows: 1 where the weight multiplies it. None: not asked for."""
    is_switch: bool = False  #: the weight changes nothing, but without it (a weight of 0) the total is another


@dataclass(frozen=True)
class JointCoefficient:
    """What components contribute whose gradients are so much alike that they cannot be told apart."""

    components: tuple[str, ...]
    effective: float  #: coefficient of their weighted sum, which should be 1


@dataclass(frozen=True)
class Total:
    """The scalar that is backpropagated for one objective, taken apart into its components."""

    objective: str
    components: tuple[TotalComponent, ...]
    residual: float  #: norm of the part of ∇total that is no component's, in parts of ‖∇total‖
    joint: JointCoefficient | None = None


@dataclass(frozen=True)
class Direction:
    """What an unweighted component makes of right and wrong answers; by batch, the first alone where it likes right."""

    objective: str
    component: str
    output: str  #: the tensor of the model's output that was replaced
    target: str  #: the tensor of the batch that says what is right
    way: tuple[tuple[float, ...], ...]  #: values from the prediction to the right answer, in equal steps
    shuffled: tuple[tuple[float, ...], ...]  #: values at the right answers of other samples
    weighed_by: str | None = None  #: what in the batch it is in proportion to, such as the rewards of a policy
    beyond: tuple[tuple[float, ...], ...] = ()  #: by batch, values past the right answer; empty where that is an edge
    by_class: tuple[float, ...] = ()  #: values where every sample is of one class and answered so, class by class


@dataclass(frozen=True)
class Optimum:
    """An unweighted component where the prediction is perfect, and near it."""

    objective: str
    component: str
    value: float  #: where the output is the target
    lower: float  #: the best found near it for sign(weight) · component; `value` where there is nothing better
    unrelated: float  #: at the target of another sample
    uses_target: bool  #: it changes with the target, the output staying what it is
    output: str  #: the tensor of the output that was replaced, or the operation whose operand was
    target: str  #: the tensor of the batch that says what is perfect
    given: Statistics | None = None  #: of the target; None where the target are classes or a teacher's logits
    classes: bool = False  #: the target are classes: better is another assignment of outputs to them
    level: str = "output"  #: "output" or "operation"
    location: Location | None = None  #: of the operation


@dataclass(frozen=True)
class InputDependence:
    """How much what comes out of a module changes where what goes in is another."""

    module: str  #: "" for the whole model; else a part of it that the loss calls by itself
    change: float  #: the largest of an element, in parts of the largest element
    slope: float | None = None  #: the largest derivative; None where no numbers go in, or where the change is plain
    output: str | None = None  #: one of several tensors that come out, which has a target; None for all of them
    last_layers: tuple[str, ...] = ()  #: the weights nearest to what comes out; looked for where it does not change


@dataclass(frozen=True)
class TrainModeLayer:
    """A dropout or a batch norm in train mode on the loss side."""

    kind: str  #: "dropout" or "batch norm"
    network: str | None  #: class of the outermost module around it, None where it is a bare function
    location: Location | None = None  #: the user's line that called it


@dataclass(frozen=True)
class Wavering:
    """A component that has two values for the same prediction, because of layers in train mode on the loss side."""

    objective: str
    component: str
    values: tuple[float, float]
    layers: tuple[TrainModeLayer, ...]


#: A gradient at an ignored element, in parts of what it is elsewhere, that is none but for rounding.
NO_GRADIENT = 1e-4


@dataclass(frozen=True)
class Padding:
    """What elements that the batch marks as ignored or padded are to a component that looks at what they mark."""

    objective: str
    component: str
    mark: str  #: what marks them: "labels is -100", "ids ends in 0", "mask is 0", "beyond lengths"
    share: float  #: of all positions
    slope: float  #: gradient at an element of the output there, in parts of what it is elsewhere
    value: float
    appended: tuple[float, ...] = ()  #: with as many elements again, and with twice as many, all of them ignored

    @property
    def is_learned(self) -> bool:
        """Whether the marked elements get gradient, and not only what rounding leaves."""
        return self.slope > NO_GRADIENT
