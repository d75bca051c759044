"""Whether a component likes the right answer better than a wrong one, and which way it leads there.

The output is replaced by the target, by the targets of other samples, and by what lies between it and the target. A
component that compares the two is least at the right one, whatever monotone function is between output and target
(rearrangement inequality); one that does not look at the target cannot tell them apart.

That the target is the right answer is a guess: an output may be a rate or a risk, which falls as its target grows. So
where a component prefers the wrong ones, it is asked past the target as well, where one that compares the two turns
back; and for classes, whether it takes them alike. Costs two forwards of the first batch, which the probes share; where
a component prefers the wrong ones, ten more of every batch and eight of the first.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from ...errors import LossDoctorError
from ...facts.probes import Direction
from ...setup.batches import Batch, batch_size, changed, target_of
from ...setup.loss import Losses
from ..autograd_graph import leaves
from ..tensors import tensors_in
from .perfect import Answer, answers, at_right, at_wrong, of_one_class
from .replay import Replay, Values, values_of

#: Where on the way from the prediction to the target the component is asked.
WAY = (0.25, 0.5, 0.75)

#: Where beyond the target. Far enough for a log-likelihood of logits to have turned back: its best answer to a target
#: in [0, 1] is not the target, but log(t / (1 - t)).
BEYOND = (1.25, 2.0, 4.0)


Key = tuple[str, str]  #: objective and component


def probe_directions(replay: Replay) -> tuple[Direction, ...]:
    """Return what every component makes of right and wrong answers, for every output that has a target.

    Raises NotApplicableError where no output has a target in the batch, or where the model is called more than once.
    """
    return tuple(direction for answer in replay.once(answers) for direction in _directions(replay, answer))


def _directions(replay: Replay, answer: Answer) -> Iterator[Direction]:
    right, wrong = _right_and_wrong(replay, answer, shifts=(1,))
    suspects = [key for key in right if _could_be_wrong(replay.setup.weight(*key), right[key], wrong[key])]
    more = _every_batch(replay, answer) if suspects else {}
    weighed = _weighed_by(replay, answer, suspects) if suspects else {}
    classes = list(of_one_class(replay, answer)) if suspects else []
    for key, value in right.items():
        alone = _Course([(replay.values[key], value)], [wrong[key]])
        course, by_class = more.get(key, alone), tuple(values[key] for values in classes)
        way, shuffled, beyond = tuple(course.way), tuple(course.shuffled), tuple(course.beyond)
        yield Direction(*key, answer.output, answer.target, way, shuffled, weighed.get(key), beyond, by_class)


def _right_and_wrong(
    replay: Replay, answer: Answer, shifts: Sequence[int] = (1, 2)
) -> tuple[Values, Mapping[Key, tuple[float, ...]]]:
    """Return the values at the right answer and at wrong ones, of the components that have a gradient there."""
    leaf, losses = replay.once(at_right, answer)
    wrong = [replay.once(at_wrong, answer, shift) for shift in shifts]
    return _depending_on(leaf, losses, wrong)


def _depending_on(
    leaf: Tensor, losses: Losses, wrong: Sequence[Values]
) -> tuple[Values, Mapping[Key, tuple[float, ...]]]:
    """Return the values at the right answer and at wrong ones, of the components that have a gradient at the leaf."""
    right = {
        key: value for key, value in values_of(losses).items() if id(leaf) in leaves(losses.objectives[key[0]][key[1]])
    }
    return right, {key: tuple(values[key] for values in wrong) for key in right}


def _could_be_wrong(weight: float | None, right: float, wrong: tuple[float, ...]) -> bool:
    sign = -1.0 if weight is not None and weight < 0 else 1.0
    return sign * right > max(sign * value for value in wrong)


@dataclass
class _Course:
    """What a component is on the way to the target, at wrong answers and past the target, batch by batch."""

    way: list[tuple[float, ...]] = field(default_factory=list)
    shuffled: list[tuple[float, ...]] = field(default_factory=list)
    beyond: list[tuple[float, ...]] = field(default_factory=list)


def _every_batch(replay: Replay, first: Answer) -> dict[Key, _Course]:
    """Return the course of every component that depends on the output."""
    courses: dict[Key, _Course] = {}
    for index in range(len(replay.setup.batches)):
        other = replay if index == replay.index else Replay(replay.setup, index)
        for answer in other.once(answers):
            if (answer.output, answer.target) != (first.output, first.target):
                continue
            right, wrong = _right_and_wrong(other, answer)
            between = [_part_of_the_way(other, answer, part) for part in WAY]
            beyond = _beyond(other, answer)
            for key in right:
                course = courses.setdefault(key, _Course())
                course.way.append((other.values[key], *(values[key] for values in between), right[key]))
                course.shuffled.append(wrong[key])
                course.beyond.append(tuple(values[key] for values in beyond))
    return courses


def _part_of_the_way(replay: Replay, answer: Answer, part: float) -> Values:
    between = torch.lerp(replay.outputs[answer.output], answer.right, part)
    return values_of(replay.on_tensor(answer.output, between))


def _beyond(replay: Replay, answer: Answer) -> list[Values]:
    """Return the values past the target; none where that is an edge, as of labels that are 0 or 1, or is refused."""
    if answer.classes is not None or len(answer.right.unique()) <= 2:
        return []
    with contextlib.suppress(LossDoctorError):
        return [_part_of_the_way(replay, answer, part) for part in BEYOND]
    return []


def _weighed_by(replay: Replay, answer: Answer, suspects: Sequence[Key]) -> dict[Key, str]:
    """Return what in the batch decides what a component prefers, such as the rewards of a policy gradient.

    With its sign turned, the right answers are preferred.
    """
    found: dict[Key, str] = {}
    for name, batch in _negated(replay, answer):
        wrong_there = [at_wrong(replay, answer, shift, batch) for shift in (1, 2)]
        right, wrong = _depending_on(*at_right(replay, answer, batch), wrong_there)
        for key in suspects:
            sign = -1.0 if (replay.setup.weight(*key) or 1.0) < 0 else 1.0
            if key in right and sign * right[key] < min(sign * value for value in wrong[key]):
                found[key] = name
    return found


def _negated(replay: Replay, answer: Answer) -> Iterator[tuple[str, Batch]]:
    """Yield the batch with one number per sample in it negated, for every tensor that holds such and is no target."""
    size = batch_size(replay.batch)
    for name, tensor in tensors_in(replay.batch, "batch").items():
        is_target = name.removeprefix("batch.") == answer.target or tensor is target_of(replay.batch)
        if tensor.is_floating_point() and tensor.numel() == size and not is_target:
            yield name, _with_negated(replay.batch, tensor)


def _with_negated(batch: Batch, tensor: Tensor) -> Batch:
    return changed(batch, lambda part: -part if part is tensor else part)
