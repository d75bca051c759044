"""The records that flow through lossdoctor: frozen, plain numbers and strings, never a tensor.

Instruments write facts, rules read facts and write findings, reports read findings. Nothing here imports torch, so
rules load in a moment, can be tested without a model, and a saved `Examination` can be judged again.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .trial_records import Trial

Matrix = tuple[tuple[float, ...], ...]


class Severity(str, Enum):
    """SARIF's levels."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"

    @property
    def rank(self) -> int:
        """0 for the most severe, so that sorting puts errors first."""
        return _RANKS[self]

    def at_least(self, other: Severity) -> bool:
        """Whether this is as severe as `other` or more."""
        return self.rank <= other.rank


_RANKS = {severity: rank for rank, severity in enumerate(Severity)}


@dataclass(frozen=True)
class Location:
    """A place in a user's file: a key of the config, or a line of Python."""

    file: str
    line: int  #: 1-based; 0 for the file as a whole
    column: int = 1  #: 1-based


@dataclass(frozen=True)
class Statistics:
    """The distribution of a tensor's elements, over all batches. Elements that are not finite are left out."""

    minimum: float
    maximum: float
    mean: float
    std: float

    @property
    def magnitude(self) -> float:
        """The largest absolute value."""
        return max(abs(self.minimum), abs(self.maximum))


@dataclass(frozen=True)
class Block:
    """The Gramians of a group of parameters: `gramians[batch][i][j] = ⟨∇Lᵢ, ∇Lⱼ⟩`, of the unweighted components.

    Blocks of one objective are disjoint, so their Gramians add up to the Gramian over all its parameters.
    """

    name: str  #: top-level module; "" for parameters that the model itself holds
    reached_by: tuple[bool, ...]  #: which components have a gradient path to these parameters, in any batch
    parameters: int  #: number of scalars
    gramians: tuple[Matrix, ...]

    @property
    def shared(self) -> bool:
        """Whether at least two components of the objective reach these parameters."""
        return sum(self.reached_by) >= 2


@dataclass(frozen=True)
class ObjectiveGradients:
    """What the gradient instrument saw of one objective; per-batch values are indexed `[batch][component]`.

    `balance.py` derives norms, shares and cosines from it, for these weights or any others.
    """

    name: str
    components: tuple[str, ...]
    weights: tuple[float, ...]
    declared: tuple[bool, ...]  #: False where the weight is 1.0 only because none was given
    roles: tuple[str | None, ...]
    attached: tuple[bool, ...]  #: some batch gave the component a gradient path to the model's parameters
    values: tuple[tuple[float | None, ...], ...]  #: unweighted; None where a batch did not return the component
    output_grad_norms: tuple[tuple[float | None, ...], ...]  #: ‖∂Lᵢ/∂output‖; None where L does not use the output
    blocks: tuple[Block, ...]
    additivity_error: float | None = None
    """‖∇(ΣwᵢLᵢ)‖ of one real backward against √(wᵀGw), relative. Only hooks or custom backwards make it large."""
    output_gramians: tuple[Matrix, ...] = ()  #: by batch, as a block's but of ∂L/∂output; zeros where L does not use it
    parameter_norms: Mapping[str, tuple[float | None, ...]] = field(default_factory=dict)
    """Parameter -> ‖∂Lᵢ/∂θ‖ of every component, unweighted, mean over the batches; None without a gradient path."""
    agreement: tuple[float | None, ...] = ()
    """By component, the mean cosine between its gradients of any two batches; None where there are no two."""
    trains_elsewhere: tuple[str, ...] = ()
    """Components that are not attached, but have a gradient path to parameters outside the model: a criterion's own."""


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


@dataclass(frozen=True)
class Output:
    """One tensor of the model's output, summarised over all batches."""

    name: str  #: "output", or the path inside a tuple or mapping: "output[0]", "output.logits"
    shape: tuple[int, ...]
    dtype: str
    activation: str | None  #: the operation that made it: "sigmoid", "tanh", "relu", …
    overall: Statistics
    channels: tuple[Statistics, ...] = ()
    zeros: float = 0.0  #: share of elements that are exactly zero
    between_samples: float = 0.0  #: standard deviation over the samples, averaged over the elements
    target: Statistics | None = None  #: of the target of the same shape, where there is one
    saturated: float = 0.0  #: share of elements (rows of a softmax) where a sigmoid, tanh or softmax is flat
    saturated_wrong: float | None = None  #: share of those that are far from the target; None where none is known


@dataclass(frozen=True)
class ParameterSize:
    """How large the values of one parameter are."""

    scalars: int
    rms: float  #: root mean square of its values
    dtype: str
    dimensions: int  #: 1 for a bias or a gain, 2 or more for a matrix or a kernel

    @property
    def norm(self) -> float:
        """The L2 norm of its values."""
        return self.rms * math.sqrt(self.scalars)


@dataclass(frozen=True)
class ParameterFacts:
    """Which parameters are trained, and which of them a component reaches."""

    trainable: int  #: scalars that require grad
    frozen: int
    unreached: Mapping[str, int] = field(default_factory=dict)
    """Parameter that should be trained -> its scalars, where no component reaches it."""
    zero_initialised: tuple[str, ...] = ()  #: trainable weights (matrices, kernels) that are all zero
    sizes: Mapping[str, ParameterSize] = field(default_factory=dict)  #: of every trainable parameter
    copies: Mapping[str, str] = field(default_factory=dict)
    """Unreached parameter -> the reached one that it is a copy of, as in a target network."""


@dataclass(frozen=True)
class KeyMismatch:
    """A checkpoint tensor whose shape is not the model's."""

    key: str
    expected: tuple[int, ...]
    found: tuple[int, ...]


@dataclass(frozen=True)
class CheckpointFacts:
    """How a checkpoint fitted the model."""

    path: str
    layout: str  #: what the file was: "safetensors", "state dict", "state_dict of a dict", …
    strict: bool
    loaded: int  #: tensors copied into the model
    missing: tuple[str, ...] = ()
    unexpected: tuple[str, ...] = ()
    reshaped: tuple[KeyMismatch, ...] = ()
    near: Mapping[str, str] = field(default_factory=dict)  #: missing key -> an unexpected key that is much like it
    stripped_prefix: str = ""
    dtypes: tuple[str, ...] = ()


@dataclass(frozen=True)
class UnreadableSample:
    """A file of the data set that could not be decoded."""

    file: str
    reason: str


@dataclass(frozen=True)
class BatchEntry:
    """One tensor of the batches, such as the input, the target or a mask, summarised over all of them."""

    name: str  #: "input", "target", or its place in the batch: "[2]", "mask"
    shape: tuple[int, ...]  #: of one sample, in the first batch
    dtype: str
    samples: int  #: over all batches
    distinct: int  #: different values among some of the elements; few where they are discrete
    constant: int = 0  #: samples whose elements are all the same
    value: float | None = None  #: the value of every element of every sample, where there is a single one
    non_finite: int = 0  #: samples with NaN or infinity
    empty: int = 0  #: batches in which it has no elements

    @property
    def elements(self) -> int:
        """Elements of one sample."""
        return math.prod(self.shape)


@dataclass(frozen=True)
class DataFacts:
    """What the data gave."""

    batches: int
    batch_sizes: tuple[int, ...] = ()
    samples: int | None = None  #: of the whole data set, where it has a length
    unreadable: tuple[UnreadableSample, ...] = ()
    entries: tuple[BatchEntry, ...] = ()
    copies: tuple[int, ...] = ()  #: by batch, the samples that are the same, in every tensor, as an earlier one


@dataclass(frozen=True)
class Anomaly:
    """The first operation that made a component's value or gradient NaN or infinite."""

    objective: str
    component: str
    where: str  #: "value" or "gradient"
    batch: int
    operation: str | None  #: None where no operation could be singled out
    location: Location | None = None


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
class DeadEnd:
    """The operation at which the whole gradient of a component ends."""

    objective: str
    component: str
    operation: str
    met: bool  #: it is flat where the component is least: a hinge that is met everywhere, not a way that is blocked
    location: Location | None = None
    selects: bool = False  #: what it selects is decided by the prediction, and a surer one would be selected


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


@dataclass(frozen=True)
class Examination:
    """Everything measured on one setup. An instrument that did not run is None and says why in `skipped`."""

    gradients: tuple[ObjectiveGradients, ...] | None = None
    operations: tuple[Operation, ...] | None = None
    outputs: tuple[Output, ...] | None = None
    parameters: ParameterFacts | None = None
    checkpoint: CheckpointFacts | None = None
    data: DataFacts | None = None
    anomalies: tuple[Anomaly, ...] | None = None
    dead_ends: tuple[DeadEnd, ...] | None = None
    duplications: tuple[Duplication, ...] | None = None
    tilings: tuple[Tiling, ...] | None = None
    edges: tuple[Edge, ...] | None = None
    half_precision: tuple[HalfPrecision, ...] | None = None
    totals: tuple[Total, ...] | None = None
    directions: tuple[Direction, ...] | None = None
    optima: tuple[Optimum, ...] | None = None
    dependences: tuple[InputDependence, ...] | None = None
    waverings: tuple[Wavering, ...] | None = None
    paddings: tuple[Padding, ...] | None = None
    skipped: Mapping[str, str] = field(default_factory=dict)  #: instrument -> reason


@dataclass(frozen=True)
class Finding:
    """A fault, or a note: which components, what the cause is, what was measured, what to do."""

    code: str
    name: str
    severity: Severity
    objective: str
    components: tuple[str, ...]
    message: str
    evidence: Mapping[str, Any] = field(default_factory=dict)
    remedy: str = ""
    explained_by: str | None = None  #: code of the finding that accounts for this one
    fix: Mapping[str, Any] | None = None  #: config key -> new value; None takes the key out
    location: Location | None = None


@dataclass(frozen=True)
class Skipped:
    """A rule that could not be evaluated. Skipped is not passed."""

    code: str
    reason: str


@dataclass(frozen=True)
class Spread:
    """Relative standard deviations over the batches."""

    value: float | None
    grad_norm: float | None


@dataclass(frozen=True)
class ComponentReport:
    """One row of the table. Norms are L2 over the measured parameters, means over the batches; None is "not finite"."""

    name: str
    weight: float
    role: str | None
    value: float | None
    weighted_value: float | None
    value_share: float | None
    grad_norm: float | None
    weighted_grad_norm: float | None
    grad_share: float | None
    output_grad_norm: float | None
    cosine_to_total: float | None
    spread: Spread
    attached: bool
    finite: bool


@dataclass(frozen=True)
class Cosine:
    """The cosine between the gradients of two components, mean over the batches."""

    a: str
    b: str
    cosine: float | None


@dataclass(frozen=True)
class ObjectiveReport:
    """One total and its components."""

    name: str
    value: float | None
    grad_norm: float | None
    components: tuple[ComponentReport, ...]
    cosines: tuple[Cosine, ...]

    def component(self, name: str) -> ComponentReport | None:
        """Return the row of one component."""
        return next((component for component in self.components if component.name == name), None)


@dataclass(frozen=True)
class Failure:
    """Something that kept a config from being used: what `lossdoctor` says when it exits 2."""

    message: str  #: "expected a number, found text", or what went wrong while the setup was built or measured
    key: str = ""  #: dotted path of the config key; "" where it is not about one
    advice: str = ""
    location: Location | None = None


class Verdict(str, Enum):
    """What the report comes down to, from best to worst: neither, warnings only, errors, or a config of no use."""

    PASS = "pass"  # noqa: S105 - not a password
    WARN = "warn"
    FAIL = "fail"
    ERROR = "error"

    @property
    def rank(self) -> int:
        """0 for the best, so that the verdict on several reports is the greatest."""
        return list(Verdict).index(self)


@dataclass(frozen=True)
class Report:
    """What a command found: the measurements worth showing, and the judgement."""

    command: str
    config: str
    verdict: Verdict
    objectives: tuple[ObjectiveReport, ...]
    findings: tuple[Finding, ...]
    skipped: tuple[Skipped, ...]
    environment: Mapping[str, Any]
    trial: Trial | None = None
    version: str = ""
    failures: tuple[Failure, ...] = ()  #: why the config could not be used; the findings may then be incomplete
    known: int = 0  #: findings that the baseline has accepted for this config, and that are not among `findings`
