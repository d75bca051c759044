"""Whether a perfect prediction is the best one.

The output is replaced by the target, and the gradient there is followed downhill for a part of the distance to another
sample's target. For classes, the outputs are assigned to other classes instead. Costs two forwards of the first batch,
which the probes share, and, for every component whose gradient there is not negligible, a backward that ends at the
output and eight forwards.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor

from ...errors import LossDoctorError
from ...facts.probes import Optimum
from ...setup.batches import changed
from ...setup.loss import Losses
from ..autograd_graph import leaves
from .perfect import Answer, answers, at_right, at_wrong, entry, statistics_of_target
from .replay import NotApplicableError, Replay, Values, values_of
from .teachers import student_is_teacher

#: How far downhill, in parts of the distance to another sample's target.
STEPS = (0.02, 0.05, 0.1, 0.2, 0.5)

#: Slope at the target, in parts of what lies between it and another sample's target, that is rounding.
NEGLIGIBLE = 1e-3


Key = tuple[str, str]  #: objective and component


def probe_optima(replay: Replay) -> tuple[Optimum, ...]:
    """Return what every component makes of a perfect prediction: by the whole output, and of a student by its teacher.

    Raises NotApplicableError where neither can be told.
    """
    found = [optimum for answer in _answers(replay) for optimum in _optima(replay, answer)]
    found += student_is_teacher(replay)
    if not found:
        message = "needs an output of the model and a target that can take its place"
        raise NotApplicableError(message)
    return tuple(found)


def _answers(replay: Replay) -> list[Answer]:
    try:
        return replay.once(answers)
    except NotApplicableError:
        return []


def _optima(replay: Replay, answer: Answer) -> Iterator[Optimum]:
    try:
        right, losses = replay.once(at_right, answer)
    except LossDoctorError:
        return  # the model is called more than once, or its code refuses the target as an output
    values = values_of(losses)
    unrelated = replay.once(at_wrong, answer, 1)
    given = None if answer.classes is not None else statistics_of_target(replay, answer)
    scale = {key: abs(unrelated[key] - value) for key, value in values.items()}
    slopes = _slopes(replay, losses, right)
    steep = [key for key, slope in slopes.items() if answer.classes is not None or _is_steep(answer, slope, scale[key])]
    # Where nothing is steep, it is enough that the right target is better than another.
    for_others = (
        values_of(replay.on_tensor(answer.output, answer.right, _other_target(replay, answer))) if steep else unrelated
    )
    relabelled = list(_relabelled(replay, answer, answer.classes)) if steep and answer.classes is not None else []
    for key, value in values.items():
        sign = _sign(replay, key)
        # Infinite at the target alone, as a PSNR is there, is another value too.
        uses_target = not math.isclose(for_others[key], value, rel_tol=NEGLIGIBLE)
        lower = value
        if uses_target and key in steep:
            found = [values[key] for values in relabelled] or [_downhill(replay, answer, key, value, slopes[key])]
            lower = sign * min(sign * other for other in (value, *found))
        yield Optimum(
            *key,
            value,
            lower,
            unrelated[key],
            uses_target,
            answer.output,
            answer.target,
            given,
            answer.classes is not None,
        )


def _sign(replay: Replay, key: Key) -> float:
    return -1.0 if (replay.setup.weight(*key) or 1.0) < 0 else 1.0


def _slopes(replay: Replay, losses: Losses, right: Tensor) -> dict[Key, Tensor]:
    """Return the gradient of sign(weight) · component at the target, for the components that have one."""
    slopes = {}
    for objective, group in losses.objectives.items():
        for name, scalar in group.items():
            if id(right) in leaves(scalar):
                (gradient,) = torch.autograd.grad(scalar, right, retain_graph=True)
                slopes[objective, name] = _sign(replay, (objective, name)) * gradient
    return slopes


def _is_steep(answer: Answer, slope: Tensor, scale: float) -> bool:
    """Whether the way downhill could lead anywhere."""
    drop = float(slope.norm() * (answer.right - answer.shuffled(1)).norm())
    return math.isfinite(drop) and drop > NEGLIGIBLE * scale


def _other_target(replay: Replay, answer: Answer) -> object:
    """Return the batch with the target of every sample given to another."""
    target = entry(replay.batch, answer.target)
    return changed(replay.batch, lambda part: _given_to_others(part) if part is target else part)


def _given_to_others(target: Tensor) -> Tensor:
    return target.roll(1, 0) if len(target) > 1 else target.flip(tuple(range(target.dim())))


def _at_right_again(replay: Replay, answer: Answer) -> Values:
    return values_of(replay.on_tensor(answer.output, answer.right))


def _downhill(replay: Replay, answer: Answer, key: Key, value: float, slope: Tensor) -> float:
    """Return the least value of a component on a few steps downhill, where other random numbers agree that it is less.

    What is compared with a noisy target has a gradient at the target that is noise. Infinity too where the component
    has another value at the target when it is asked again: it draws numbers that cannot be drawn twice.
    """
    sign = _sign(replay, key)
    if replay.once(_at_right_again, answer)[key] != value:
        return sign * math.inf
    step = (answer.right - answer.shuffled(1)).norm() / slope.norm() * slope
    steps = {part: answer.right - part * step for part in STEPS}
    values = {part: values_of(replay.on_tensor(answer.output, output))[key] for part, output in steps.items()}
    best = min(values, key=lambda part: sign * values[part])
    other = replay.with_other_noise()
    there = values_of(other.on_tensor(answer.output, answer.right))[key]
    still = values_of(other.on_tensor(answer.output, steps[best]))[key]
    return values[best] if sign * still < sign * there else sign * math.inf


def _relabelled(replay: Replay, answer: Answer, classes: int) -> Iterator[Values]:
    """Yield the values where every class is taken for the one after it, and for the one before it."""
    for shift in (1, -1):
        yield values_of(replay.on_tensor(answer.output, answer.right.roll(shift, classes)))
