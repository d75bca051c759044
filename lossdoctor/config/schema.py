"""The config as typed records: what every key means, which values it takes and what it is when left out.

The text below a field is the user's documentation: `lossdoctor schema` prints it, editors and messages show it.
Nothing here reads files or imports torch; `load.py` turns a YAML file into a `Config`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, NoReturn

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    FiniteFloat,
    NonNegativeInt,
    PositiveInt,
    PrivateAttr,
    Tag,
    ValidationInfo,
    field_validator,
)
from pydantic_core import PydanticCustomError

from ..records import Location
from .suggest import closest, did_you_mean
from .suppressions import Suppression

Space = Literal["rgb", "lab", "luv", "ycbcr", "yuv", "hsv", "xyz", "gray"]

#: The channels of each space by their letters, in order.
CHANNELS: Mapping[str, tuple[str, ...]] = {
    "rgb": ("R", "G", "B"),
    "lab": ("L", "a", "b"),
    "luv": ("L", "u", "v"),
    "ycbcr": ("Y", "Cb", "Cr"),
    "yuv": ("Y", "U", "V"),
    "hsv": ("H", "S", "V"),
    "xyz": ("X", "Y", "Z"),
    "gray": ("Y",),
}

#: Names that `model.target` takes besides `module:callable`.
BUILT_IN_MODELS = ("unet",)


def refuse(expected: str, advice: str = "") -> NoReturn:
    """Raise the error of a validator: what would have been right, and what to do."""
    kind, template = "refused", "expected {expected}"
    raise PydanticCustomError(kind, template, {"expected": expected, "advice": advice})


def _importable(value: str) -> str:
    module, colon, name = value.partition(":")
    dotted = (*module.split("."), *name.split("."))
    if colon and all(part.isidentifier() for part in dotted) and not module.endswith(".py"):
        return value
    refuse("`module:callable`, such as `my_project.losses:terms`", _nearest_target(value))


def _nearest_target(value: str) -> str:
    """Return advice for what people write instead: a file, dots only, spaces."""
    module, _, name = "".join(value.split()).replace("::", ":").rpartition(":" if ":" in value else ".")
    module = module.removesuffix(".py").strip("./").replace("/", ".")
    if module and name.isidentifier() and all(part.isidentifier() for part in module.split(".")):
        return f"did you mean `{module}:{name}`?"
    return "name the module as in an `import`, then a colon, then the function or class in it"


Target = Annotated[str, AfterValidator(_importable), Field(json_schema_extra={"pattern": r"^[^\s:]+:[^\s:]+$"})]
PositiveFloat = Annotated[float, Field(gt=0, allow_inf_nan=False)]
LearningRate = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class Section(BaseModel):
    """A mapping of the config: immutable, no keys but these, no value converted in silence."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class ModelConfig(Section):
    """The model under examination."""

    target: str
    """`module:callable` returning an nn.Module, or the name of a built-in model (`unet`)."""
    args: dict[str, Any] = {}
    """Keyword arguments of the callable."""
    checkpoint: str | None = None
    """Weights to load: .safetensors, .pt, .pth, .ckpt, or a safetensors index. Relative to this file."""
    strict: bool = True
    """Keys that are missing or do not fit are an error (true) or a warning (false)."""

    @field_validator("target")
    @classmethod
    def _known_or_importable(cls, target: str) -> str:
        if ":" in target:
            return _importable(target)
        if target not in BUILT_IN_MODELS:
            advice = did_you_mean(target, BUILT_IN_MODELS) or _nearest_target(target)
            refuse(f"`module:callable` or a built-in model ({', '.join(BUILT_IN_MODELS)})", advice)
        return target


class ValidationConfig(Section):
    """Data of its own for validation."""

    target: Target
    """`module:callable` -> DataLoader, Dataset, or any iterable of batches."""
    args: dict[str, Any] = {}
    """Keyword arguments of the callable."""


class TargetData(Section):
    """Batches made by the user's own code."""

    target: Target
    """`module:callable` -> DataLoader, Dataset, or any iterable of batches. Or give a folder of `images`."""
    args: dict[str, Any] = {}
    """Keyword arguments of the callable."""
    batch_size: PositiveInt = 8
    """Samples per batch; used when the target returns a Dataset."""
    validation: ValidationConfig | None = None
    """Separate data for validation during a trial."""


class ImageData(Section):
    """Batches made from a folder of photographs."""

    images: str
    """Folder of images (PNG, JPEG, WebP, …), searched recursively. Relative to this file."""
    task: Literal["colorization", "denoising", "super-resolution"] = "colorization"
    """What the model learns: grey to RGB, noisy to clean, small to large."""
    size: Annotated[int, Field(ge=8, le=4096)] = 64
    """Side of the square that every image is cropped and scaled to, in pixels."""
    batch_size: PositiveInt = 8
    """Images per batch."""
    sigma: Annotated[float, Field(gt=0, le=1)] = 0.1
    """Denoising: standard deviation of the noise, for pixels in [0, 1]."""
    factor: Annotated[int, Field(ge=2, le=16)] = 2
    """Super-resolution: how many times smaller the input is."""
    group: str | None = None
    """Regular expression on file names: images with the same first group stay on one side of a split."""

    @field_validator("group")
    @classmethod
    def _compiles(cls, group: str | None) -> str | None:
        try:
            re.compile(group or "")
        except re.error as error:
            refuse("a regular expression", f"Python says: {error}")
        return group


def _kind_of_data(value: Any) -> str:
    """Return which alternative is meant; a mapping with neither key is judged by its other keys."""
    if isinstance(value, ImageData):
        return "images"
    if not isinstance(value, Mapping) or "target" in value:
        return "target"
    only_images = set(ImageData.model_fields) - set(TargetData.model_fields)
    meant = only_images & value.keys() or closest("images", (key for key in value if isinstance(key, str)))
    return "images" if meant else "target"


DataConfig = Annotated[
    Annotated[ImageData, Tag("images")] | Annotated[TargetData, Tag("target")], Discriminator(_kind_of_data)
]


class Schedule(Section):
    """A weight that changes over the optimizer steps."""

    from_: FiniteFloat = Field(alias="from")
    """Weight before and at `start`."""
    to: FiniteFloat
    """Weight from `start + over` on."""
    start: NonNegativeInt = 0
    """Optimizer step at which the change begins."""
    over: NonNegativeInt
    """Optimizer steps that the change takes."""
    shape: Literal["linear", "cosine", "step"] = "linear"
    """How the weight gets there; `step` jumps at `start + over`."""

    def at(self, step: int) -> float:
        """Return the weight at an optimizer step."""
        if step >= self.start + self.over:
            return self.to
        if step <= self.start or self.shape == "step":
            return self.from_
        progress = (step - self.start) / self.over
        if self.shape == "cosine":
            progress = (1 - math.cos(math.pi * progress)) / 2
        return self.from_ + progress * (self.to - self.from_)


def _kind_of_weight(value: Any) -> str:
    return "schedule" if isinstance(value, (Mapping, Schedule)) else "number"


Weight = Annotated[
    Annotated[FiniteFloat, Tag("number")] | Annotated[Schedule, Tag("schedule")], Discriminator(_kind_of_weight)
]


def weight_at(weight: float | Schedule, step: int | None = None) -> float:
    """Return the weight at an optimizer step; without one, the value at the end of its schedule."""
    if isinstance(weight, Schedule):
        return weight.to if step is None else weight.at(step)
    return weight


class Component(Section):
    """What every built-in component has."""

    weight: Weight | None = None
    """Factor of this component in the total: a number or a schedule. 1.0, with a note, when left out."""
    reduction: Literal["mean", "sum"] = "mean"
    """How the elements become one number. `sum` grows with the batch size and the resolution."""


class ColorComponent(Component):
    """A component that compares images in a colour space."""

    space: Space = "rgb"
    """Colour space in which prediction and target (RGB in [0, 1]) are compared."""
    channels: list[str] | None = None
    """Letters of the channels to compare, such as `[a, b]`; all when left out."""
    normalize: bool = True
    """Scale every channel to about [0, 1] (LAB: L/100, (a, b)+128 over 256). False compares raw units."""

    @field_validator("channels")
    @classmethod
    def _belong_to_space(cls, channels: list[str] | None, info: ValidationInfo) -> list[str] | None:
        letters = CHANNELS.get(info.data.get("space", ""))
        if channels is None or letters is None:
            return channels
        expected = f"channels of {info.data['space']}: {', '.join(letters)}"
        for channel in channels:
            if channel not in letters:
                refuse(expected, did_you_mean(channel, letters))
        if not channels or len(set(channels)) < len(channels):
            refuse(expected, "name each channel once, or leave `channels` out to compare them all")
        return channels


class PixelComponent(ColorComponent):
    """A difference of pixels."""

    term: Literal["mse", "l1"]


class SmoothL1Component(ColorComponent):
    """L1 that is quadratic near zero (Huber)."""

    term: Literal["smooth_l1"]
    beta: PositiveFloat = 1.0
    """Difference at which the quadratic part ends, in the units compared."""


class CharbonnierComponent(ColorComponent):
    """The smooth L1 of image restoration: √(d² + ε²)."""

    term: Literal["charbonnier"]
    epsilon: PositiveFloat = 1e-3
    """The ε of the formula, in the units compared."""


class SsimComponent(ColorComponent):
    """1 − SSIM, over one scale or several."""

    term: Literal["ssim", "ms_ssim"]
    window: Annotated[int, Field(ge=3, le=33)] = 11
    """Side of the Gaussian window, odd."""
    data_range: PositiveFloat | None = None
    """Span of the values compared; that of the space and channels when left out."""

    @field_validator("window")
    @classmethod
    def _odd(cls, window: int) -> int:
        if window % 2 == 0:
            refuse("an odd number", f"write {window - 1} or {window + 1}")
        return window


class TotalVariationComponent(ColorComponent):
    """Total variation of the prediction: the mean (or sum) of differences between neighbouring pixels."""

    term: Literal["tv"]


class GradientComponent(ColorComponent):
    """L1 between the spatial (Sobel) gradients of prediction and target."""

    term: Literal["gradient"]


class PerceptualComponent(Component):
    """Distance between the features of a frozen network trained on photographs."""

    term: Literal["perceptual"]
    backbone: Literal["squeezenet1_1", "vgg16", "vgg19"] = "squeezenet1_1"
    """The network."""
    layers: Annotated[list[NonNegativeInt], Field(min_length=1)] | None = None
    """Indices into the network's `features`; a few ReLUs spread over the depth when left out."""
    pretrained: str = "imagenet"
    """`imagenet` (downloaded once), `random` (seeded, works offline), or the path of a state dict."""
    distance: Literal["mse", "l1"] = "mse"
    """How features are compared."""


BuiltInColorComponent = (
    PixelComponent
    | SmoothL1Component
    | CharbonnierComponent
    | SsimComponent
    | TotalVariationComponent
    | GradientComponent
)
BuiltInComponent = Annotated[BuiltInColorComponent | PerceptualComponent, Field(discriminator="term")]

Role = Literal["regularizer"]
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]


class LossConfig(Section):
    """The composite loss: exactly one of `components`, `function` and `step`."""

    components: dict[str, BuiltInComponent] | None = None
    """Built-in components by name."""
    function: Target | None = None
    """`module:callable`, (output, batch) -> {name: scalar tensor}, unweighted."""
    step: Target | None = None
    """`module:callable`, (model, batch) -> {name: scalar tensor}, unweighted."""
    weights: dict[str, Weight] = {}
    """With function or step: weight by component, or by `objective.component`."""
    roles: dict[str, Role] = {}
    """Intent by component: a regularizer is allowed to be small."""
    shares: dict[str, Share] = {}
    """Intent by component: the share of the gradient that it should have."""
    tolerance: Annotated[float, Field(gt=1, allow_inf_nan=False)] = 3.0
    """Factor by which a measured share may be off the declared one."""
    total: Target | None = None
    """`module:callable`, (model, batch) or (model, batch, weights) -> the scalar that is backpropagated."""


DEVICE = "^(auto|cpu|mps|cuda(:[0-9]+)?)$"


def _kind_of_pattern(value: Any) -> str:
    return "patterns" if isinstance(value, Mapping) else "pattern"


Patterns = Annotated[
    Annotated[str, Tag("pattern")] | Annotated[dict[str, str], Tag("patterns")], Discriminator(_kind_of_pattern)
]


class MeasureConfig(Section):
    """How the examination measures."""

    batches: PositiveInt = 4
    """How many batches to measure."""
    device: Annotated[str, Field(pattern=DEVICE)] = "auto"
    """auto, cpu, cuda, cuda:N or mps."""
    precision: Literal["fp32", "bf16", "fp16"] = "fp32"
    """Autocast precision, the loss included; fp32 turns TF32 off."""
    mode: Literal["train", "eval"] = "train"
    """The model's mode while it is measured."""
    seed: NonNegativeInt = 0
    """Seed of everything random."""
    parameters: Patterns = "*"
    """Pattern (`*`, `?`) of the names of the parameters to differentiate by, or one per objective."""


class RulesConfig(BaseModel):
    """Which rules judge, and their options: every other key is the code of a rule."""

    model_config = ConfigDict(extra="allow", frozen=True, strict=True)

    select: list[str] = []
    """Codes or prefixes (`LD2`) of the rules to run; all when empty."""
    ignore: list[str] = []
    """Codes or prefixes of the rules to leave out."""

    @property
    def options(self) -> Mapping[str, Any]:
        """Options by rule code, as written."""
        return self.model_extra or {}


def _kind_of_rhythm(value: Any) -> str:
    return "auto" if value == "auto" else "steps"


Rhythm = Annotated[
    Annotated[Literal["auto"], Tag("auto")] | Annotated[PositiveInt, Tag("steps")], Discriminator(_kind_of_rhythm)
]


class ObjectiveTrialConfig(Section):
    """How one of several objectives is trained, where it differs from the others."""

    optimizer: str | None = None
    """Name of an optimizer of torch.optim, in any case."""
    lr: LearningRate | None = None
    """Learning rate."""
    options: dict[str, Any] | None = None
    """Keyword arguments of the optimizer."""


class TrialConfig(Section):
    """A short training run."""

    steps: PositiveInt = 200
    """Optimizer steps."""
    optimizer: str = "adam"
    """Name of an optimizer of torch.optim, in any case."""
    lr: LearningRate = 1e-3
    """Learning rate."""
    options: dict[str, Any] = {}
    """Keyword arguments of the optimizer, such as `momentum: 0.9` or `betas: [0.5, 0.999]`."""
    schedule: Literal["constant", "linear", "cosine"] = "constant"
    """How the learning rate falls over the steps: not at all, or to 0."""
    warmup: NonNegativeInt = 0
    """Steps over which the learning rate rises from 0 first."""
    clip: PositiveFloat | None = None
    """Norm that the gradient of each objective is clipped to."""
    accumulate: PositiveInt = 1
    """Batches whose gradients are averaged for one step."""
    parameters: dict[str, str] = {}
    """With several objectives: the pattern of the parameters that each one trains."""
    objectives: dict[str, ObjectiveTrialConfig] = {}
    """With several objectives: the optimizer of each, where it differs."""
    measure_every: Rhythm = "auto"
    """Steps between measurements of the gradient shares; auto measures ten times, log-spaced."""
    validate_every: Rhythm = "auto"
    """Steps between validations; auto validates ten times."""
    checkpoint_every: PositiveInt = 50
    """Steps between checkpoints."""
    augment: bool = True
    """With a folder of images: train on random crops, half of them flipped."""
    metric: Target | None = None
    """`module:callable`, (model, batch) -> {name: number}, or a single number; more is better, the first decides."""

    def lr_factor(self, step: int) -> float:
        """Return what the learning rate is multiplied by at an optimizer step, counted from 0."""
        if step < self.warmup:
            return (step + 1) / self.warmup
        progress = (step - self.warmup) / max(self.steps - self.warmup, 1)
        if self.schedule == "cosine":
            return (1 + math.cos(math.pi * min(progress, 1.0))) / 2
        return max(1 - progress, 0.0) if self.schedule == "linear" else 1.0


def _whole(value: Any) -> Any:
    """Keep `true` and `1.0` from passing as 1, which they equal in Python."""
    return value if type(value) is int else str(value)


class Config(Section):
    """A lossdoctor config, version 1."""

    version: Annotated[Literal[1], BeforeValidator(_whole)] = 1
    """Version of the format of this file; this lossdoctor reads version 1."""
    model: ModelConfig
    """The model under examination."""
    data: DataConfig
    """Batches: a target of your own, or a folder of images."""
    loss: LossConfig
    """The composite loss."""
    measure: MeasureConfig = MeasureConfig()
    """How the examination measures."""
    rules: RulesConfig = RulesConfig()
    """Which rules judge, and their options."""
    trial: TrialConfig = TrialConfig()
    """A short training run."""

    _path: Path = PrivateAttr(default=Path("<config>"))
    _positions: Mapping[tuple[str, ...], Location] = PrivateAttr(default_factory=dict)
    _suppressions: tuple[Suppression, ...] = PrivateAttr(default=())

    @property
    def path(self) -> Path:
        """The file this was read from."""
        return self._path

    @property
    def folder(self) -> Path:
        """The folder that relative paths and targets start from."""
        return self._path.parent

    @property
    def positions(self) -> Mapping[tuple[str, ...], Location]:
        """Where every key that was read from a file is written."""
        return self._positions

    @property
    def suppressions(self) -> tuple[Suppression, ...]:
        """The comments that accept findings."""
        return self._suppressions

    def locate(self, *keys: str) -> Location:
        """Return where a key is written; where it is not, the nearest key around it."""
        for length in range(len(keys), 0, -1):
            if (location := self._positions.get(keys[:length])) is not None:
                return location
        return Location(str(self._path), 1)
