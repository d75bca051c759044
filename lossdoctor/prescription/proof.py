"""What two arms of a trial prove: which quantity decides, and whether it is better, worse or no different.

One quantity decides, and it is chosen before anything is trained: the first number of `trial.metric`, else PSNR where
images are compared, else the mean progress of the components. So 95 % confidence stays 95 %, however many numbers are
shown. Where PSNR decides, SSIM and the progress of the components can contradict it: then nothing is proved. Neither
arm minimises any of these by construction, and none has a unit.

The components themselves are shown in the unit that they have in the config as it is, for both arms. They decide
nothing one by one: a loss that hears one component alone is best at that one.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum

from ..trial_records import ArmPair, Curve, Number
from .comparison import Interval, Measure, Outcome, judge, progress

PROGRESS = "progress of the components"

#: Metrics of images of which more is better, in the order in which they decide.
_OF_IMAGES = ("psnr", "ssim")

#: That of the outputs over that of the targets: neither more nor less of it is better.
_COLORFULNESS = "colorfulness"


class Voice(str, Enum):
    """What a measure has to say in the verdict."""

    DECIDES = "decides"
    CONTRADICTS = "can contradict"
    SHOWN = "is shown"


@dataclass(frozen=True)
class Judgement:
    """One measure, and what it comes to."""

    measure: Measure
    voice: Voice
    gain: Interval | None  #: by how much the fixed arm is better, on average over the seeds
    outcome: Outcome | None  #: None where neither more nor less is better
    remark: str = ""  #: why there is no outcome


@dataclass(frozen=True)
class Proof:
    """Both arms over all seeds, and the verdict."""

    outcome: Outcome
    judgements: tuple[Judgement, ...]
    pairs: tuple[ArmPair, ...]
    steps: int  #: planned for every run
    from_checkpoint: bool
    seconds: float
    notes: tuple[str, ...] = ()  #: what a reader has to know to read the numbers
    files: tuple[str, ...] = ()

    @property
    def decisive(self) -> Judgement | None:
        """The measure that decides; None where nothing can."""
        return next((judgement for judgement in self.judgements if judgement.voice is Voice.DECIDES), None)

    @property
    def contradictions(self) -> tuple[Judgement, ...]:
        """The measures that say the opposite of the one that decides."""
        return _contradictions(self.judgements)


@dataclass(frozen=True)
class _Component:
    """A component of the config as it is, as the metrics name it."""

    name: str
    sign: float  #: of its weight: what is minimised is sign · value
    exempt: str  #: why less of it is not better; empty where it is


def distinct(pairs: Sequence[ArmPair]) -> tuple[ArmPair, ...]:
    """Return the pairs without those that repeat another.

    Seeds that change neither weights nor batches (a checkpoint, data in a fixed order, no dropout) make the same run
    again and again, which proves no more than one run.
    """
    ends = [tuple(tuple(run.metrics[-1].metrics.items()) for run in pair.arms.values()) for pair in pairs]
    return tuple(dict(zip(ends, pairs, strict=True)).values())


def judge_pairs(pairs: Sequence[ArmPair]) -> tuple[Outcome, tuple[Judgement, ...]]:
    """Return the verdict on the arms, and the measures that it rests on: the one that decides comes first."""
    components = list(_components(pairs))
    in_units = {component.name for component in components}
    names = [name for name in pairs[0].as_is.metrics[0].metrics if name not in in_units]
    own = [name for name in names if name not in (*_OF_IMAGES, _COLORFULNESS)]
    scale_free = [
        *(_measure(pairs, name) for name in (*own, *_OF_IMAGES) if name in names),
        *_mean_progress(pairs, [component for component in components if not component.exempt]),
    ]
    voices = [Voice.DECIDES] + (len(scale_free) - 1) * [Voice.SHOWN if own else Voice.CONTRADICTS]
    judgements = (
        *(_judgement(measure, voice) for measure, voice in zip(scale_free, voices, strict=False)),
        *(_exempt(_measure(pairs, name), "the targets have 1") for name in names if name == _COLORFULNESS),
        *(_of_component(pairs, component) for component in components),
    )
    return _verdict(judgements), judgements


def _judgement(measure: Measure, voice: Voice) -> Judgement:
    return Judgement(measure, voice, measure.gain, judge(measure))


def _exempt(measure: Measure, remark: str) -> Judgement:
    return Judgement(measure, Voice.SHOWN, None, None, remark)


def _of_component(pairs: Sequence[ArmPair], component: _Component) -> Judgement:
    measure = _measure(pairs, component.name, more_is_better=component.sign < 0)
    return _exempt(measure, component.exempt) if component.exempt else _judgement(measure, Voice.SHOWN)


def _verdict(judgements: Sequence[Judgement]) -> Outcome:
    """Return what the decisive measure says, unless one that may contradict it says the opposite."""
    decided = [judgement.outcome for judgement in judgements if judgement.voice is Voice.DECIDES]
    if not decided or decided[0] is None or _contradictions(judgements):
        return Outcome.NO_DIFFERENCE
    return decided[0]


def _contradictions(judgements: Sequence[Judgement]) -> tuple[Judgement, ...]:
    decided = {judgement.outcome for judgement in judgements if judgement.voice is Voice.DECIDES}
    opposite = {Outcome.PROVED: Outcome.WORSE, Outcome.WORSE: Outcome.PROVED}
    against = {opposite[outcome] for outcome in decided if outcome in opposite}
    return tuple(j for j in judgements if j.voice is Voice.CONTRADICTS and j.outcome in against)


def _measure(pairs: Sequence[ArmPair], name: str, *, more_is_better: bool = True) -> Measure:
    return Measure(
        name,
        as_is=tuple(_value(pair.as_is.metrics[-1].metrics.get(name)) for pair in pairs),
        fixed=tuple(_value(pair.fixed.metrics[-1].metrics.get(name)) for pair in pairs),
        more_is_better=more_is_better,
    )


def _value(number: Number) -> float:
    return math.nan if number is None else number


def _components(pairs: Sequence[ArmPair]) -> Iterator[_Component]:
    """Yield the components of the config as it is."""
    curves = pairs[0].as_is.curves
    for curve in curves:
        in_fixed = next((other.weights for other in pairs[0].fixed.curves if other.objective == curve.objective), {})
        for component, weight in curve.weights.items():
            qualified = f"{curve.objective}.{component}"
            name = qualified if qualified in pairs[0].as_is.metrics[0].metrics else component
            known = all(pair.as_is.metrics[0].metrics.get(name) is not None for pair in pairs)
            exempt = (
                _exemption(curve, component, in_fixed.get(component, weight)) if known else "no number at the start"
            )
            yield _Component(name, math.copysign(1.0, weight), exempt)


def _exemption(curve: Curve, component: str, in_fixed: float) -> str:
    """Return why less of a component, with the sign of its weight, is not better."""
    if curve.roles.get(component) == "regularizer":
        return "a regularizer"
    if curve.adversarial:
        return "adversarial"
    if curve.weights[component] == 0:
        return "weight 0"
    return "its sign is in dispute" if curve.weights[component] * in_fixed < 0 else ""


def _mean_progress(pairs: Sequence[ArmPair], components: Sequence[_Component]) -> Iterator[Measure]:
    """Yield the mean of `progress` over the components, for both arms of every seed; nothing without components."""
    if components:
        arms = [_mean_progress_of(pair, components) for pair in pairs]
        as_is, fixed = zip(*arms, strict=True)
        yield Measure(PROGRESS, as_is, fixed, more_is_better=True)


def _mean_progress_of(pair: ArmPair, components: Sequence[_Component]) -> tuple[float, float]:
    start, as_is, fixed = (
        evaluation.metrics for evaluation in (pair.as_is.metrics[0], pair.as_is.metrics[-1], pair.fixed.metrics[-1])
    )
    parts = [
        progress(*(component.sign * _value(metrics.get(component.name)) for metrics in (start, as_is, fixed)))
        for component in components
    ]
    return statistics.fmean(a for a, _ in parts), statistics.fmean(b for _, b in parts)
