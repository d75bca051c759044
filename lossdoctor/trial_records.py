"""What a trial shows, as frozen records of plain numbers: curves, gradient shares over time, verdicts, metrics."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from .records import ObjectiveReport

Number = float | None


@dataclass(frozen=True)
class Curve:
    """One objective over the steps of a run; values are those of the batch trained on. None is "not finite".

    Of checkpoints, the values are those of the same batches at each.
    """

    objective: str
    steps: tuple[int, ...]  #: optimizer steps made before the values were taken
    total: tuple[Number, ...]  #: Σ wᵢ·Lᵢ with the weights of the step
    components: Mapping[str, tuple[Number, ...]]  #: unweighted; None too where a batch did not return it
    weights: Mapping[str, float]  #: at the last step
    roles: Mapping[str, str | None]
    trained: int  #: scalars that its optimizer may change
    adversarial: bool = False  #: what it trains decides what another objective is worth, or the other way round

    def weighted(self, values: Mapping[str, Number]) -> Number:
        """Return Σ wᵢ·Lᵢ of some values with the last weights; None where one that counts is not known."""
        counted = [(self.weights.get(name, 1.0), value) for name, value in values.items()]
        if any(value is None and weight for weight, value in counted):
            return None
        return sum(weight * value for weight, value in counted if value is not None)


@dataclass(frozen=True)
class TrajectoryPoint:
    """Values, norms, gradient shares and cosines of every objective at one moment, on the same batches each time."""

    step: int
    objectives: tuple[ObjectiveReport, ...]
    source: str = ""  #: the checkpoint that was measured, where it is not the running model

    def objective(self, name: str) -> ObjectiveReport | None:
        """Return what was measured of one objective."""
        return next((objective for objective in self.objectives if objective.name == name), None)


@dataclass(frozen=True)
class Evaluation:
    """Metrics of the model at one step."""

    step: int
    split: str  #: "validation", "training" where no data were kept apart, or "overfitted" for the one batch
    metrics: Mapping[str, Number]  #: psnr in dB, ssim, the user's own, and every component in its own unit


@dataclass(frozen=True)
class ComponentVerdict:
    """What became of one component, on the same batch before and after; values are unweighted."""

    objective: str
    component: str
    start: Number
    end: Number
    fraction: Number  #: end / start; None where the start is not above zero
    floor: Number  #: its value for a perfect prediction, where that is known
    gone: Number  #: (start - end) / (start - floor): the part of the reducible loss that is gone
    control: Number  #: where it stopped with the input zeroed
    input_used: bool | None  #: it fell further than with the input zeroed; None without a control
    verdict: str  #: "learned", "fell", "stuck", "rose" or "not finite"


@dataclass(frozen=True)
class ChannelColors:
    """The colours of images, RGB in [0, 1] or grey."""

    means: tuple[float, ...]  #: by channel
    std: float  #: of all elements
    between_samples: float  #: standard deviation over the samples, averaged over the elements
    colorfulness: float | None  #: Hasler & Süsstrunk 2003, of pixels in [0, 255]; None for grey
    rms: float | None = None  #: root mean square of all elements


@dataclass(frozen=True)
class FinalOutput:
    """One tensor of the trained model's output beside its target."""

    name: str
    output: ChannelColors
    target: ChannelColors
    samples: int
    image: bool  #: an image of one or three channels in about [0, 1]


@dataclass(frozen=True)
class InputEffect:
    """How much the trained model's output changes when its input is zeroed: ‖f(x) − f(0)‖ / ‖f(x)‖."""

    change: float
    output: str


@dataclass(frozen=True)
class Trial:
    """A short training run, or the same measurements on saved checkpoints."""

    kind: str  #: "overfit-batch", "train" or "checkpoints"
    planned: int | None  #: steps; None for checkpoints
    steps: int  #: steps made
    stopped: str | None = None  #: why it ended before the planned steps
    from_checkpoint: bool = False
    seconds: float = 0.0
    curves: tuple[Curve, ...] = ()
    trajectory: tuple[TrajectoryPoint, ...] = ()
    verdicts: tuple[ComponentVerdict, ...] = ()
    metrics: tuple[Evaluation, ...] = ()
    control: tuple[Curve, ...] | None = None  #: the same run with the model's input zeroed
    floors: Mapping[str, Mapping[str, float]] | None = None  #: objective -> component -> value of a perfect prediction
    outputs: tuple[FinalOutput, ...] | None = None
    input_effect: InputEffect | None = None
    notes: tuple[str, ...] = ()  #: what a reader has to know to read the numbers
    files: tuple[str, ...] = ()
    skipped: Mapping[str, str] = field(default_factory=dict)  #: field -> why it is None

    def curve(self, objective: str) -> Curve | None:
        """Return the curve of one objective."""
        return next((curve for curve in self.curves if curve.objective == objective), None)


@dataclass(frozen=True)
class ArmRun:
    """One training of one arm of a comparison."""

    seed: int
    steps: int  #: made
    stopped: str | None  #: why it ended before the planned steps
    seconds: float
    curves: tuple[Curve, ...]  #: of the arm's own loss
    metrics: tuple[Evaluation, ...]  #: by the loss of the config as it is, the first before any step
    trajectory: tuple[TrajectoryPoint, ...] = ()  #: of the arm's own loss; empty where shares were not measured


@dataclass(frozen=True)
class ArmPair:
    """Both arms of one seed."""

    as_is: ArmRun
    fixed: ArmRun
    notes: tuple[str, ...] = ()  #: what a reader has to know to read the numbers

    @property
    def arms(self) -> Mapping[str, ArmRun]:
        """Both by name."""
        return {"as is": self.as_is, "fixed": self.fixed}
