"""Whether a component likes the right answer better than a wrong one, and which way it leads there.

The output is replaced by the target, by the targets of other samples, and by what lies between it and the target. A
component that compares the two is least at the right one, whatever monotone function is between output and target
(rearrangement inequality); one that does not look at the target cannot tell them apart. Costs three forwards of the
first batch; where a component prefers the wrong ones, five more of every batch.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor

from ...records import Direction
from ...setup.batches import Batch, batch_size, changed, target_of
from ..autograd_graph import leaves
from ..tensors import tensors_in
from .perfect import Answer, answers
from .replay import Replay, Values, by_component, values_of

#: Where on the way from the prediction to the target the component is asked.
WAY = (0.25, 0.5, 0.75)


def probe_directions(replay: Replay) -> tuple[Direction, ...]:
    """Return what every component makes of right and wrong answers, for every output that has a target.

    Raises NotApplicableError where no output has a target in the batch, or where the model is called more than once.
    """
    return tuple(direction for answer in answers(replay) for direction in _directions(replay, answer))


def _directions(replay: Replay, answer: Answer) -> Iterator[Direction]:
    right, wrong = _right_and_wrong(replay, answer)
    suspects = [key for key in right if _could_be_wrong(replay.setup.weight(*key), right[key], wrong[key])]
    more = _every_batch(replay, answer) if suspects else {}
    for key, value in right.items():
        weighed = _weighed_by(replay, answer, key) if key in suspects else None
        way, shuffled = more.get(key, (((replay.values[key], value),), (wrong[key],)))
        yield Direction(*key, answer.output, answer.target, way, shuffled, weighed)


def _right_and_wrong(replay: Replay, answer: Answer) -> tuple[Values, Mapping[tuple[str, str], tuple[float, ...]]]:
    """Return the values at the right answer and at wrong ones, of the components that pull at this answer."""
    given = answer.right.detach().clone().requires_grad_()
    losses = replay.on_tensor(answer.output, given)
    pulling = {key for key, scalar in by_component(losses).items() if id(given) in leaves(scalar)}
    right = {key: value for key, value in values_of(losses).items() if key in pulling}
    wrong = [values_of(replay.on_tensor(answer.output, answer.shuffled(shift))) for shift in (1, 2)]
    return right, {key: tuple(values[key] for values in wrong) for key in right}


def _could_be_wrong(weight: float | None, right: float, wrong: tuple[float, ...]) -> bool:
    sign = -1.0 if weight is not None and weight < 0 else 1.0
    return sign * right > max(sign * value for value in wrong)


def _every_batch(
    replay: Replay, first: Answer
) -> dict[tuple[str, str], tuple[tuple[tuple[float, ...], ...], tuple[tuple[float, ...], ...]]]:
    """Return, by component, its values on the way to the target and at wrong answers, batch by batch."""
    ways: dict[tuple[str, str], list[tuple[float, ...]]] = {}
    shuffled: dict[tuple[str, str], list[tuple[float, ...]]] = {}
    for index in range(len(replay.setup.batches)):
        other = Replay(replay.setup, index)
        for answer in answers(other):
            if (answer.output, answer.target) != (first.output, first.target):
                continue
            right, wrong = _right_and_wrong(other, answer)
            between = [
                values_of(other.on_tensor(answer.output, torch.lerp(other.outputs[answer.output], answer.right, part)))
                for part in WAY
            ]
            for key in right:
                ways.setdefault(key, []).append((other.values[key], *(values[key] for values in between), right[key]))
                shuffled.setdefault(key, []).append(wrong[key])
    return {key: (tuple(ways[key]), tuple(shuffled[key])) for key in ways}


def _weighed_by(replay: Replay, answer: Answer, key: tuple[str, str]) -> str | None:
    """Return what in the batch decides where a component leads, such as the rewards of a policy gradient.

    Without it (all zeros) the component is zero, or with the other sign it has the other sign.
    """
    original = replay.values[key]
    for name, tensor in _numbers(replay, answer):
        for factor in (0.0, -1.0):
            value = replay.on_batch(_multiplied(replay.batch, tensor, factor)).get(key)
            if value is not None and abs(value - factor * original) <= 1e-4 * abs(original):
                return name
    return None


def _numbers(replay: Replay, answer: Answer) -> Iterator[tuple[str, Tensor]]:
    """Yield every tensor of the batch that holds one number per sample and is no target."""
    size = batch_size(replay.batch)
    for name, tensor in tensors_in(replay.batch, "batch").items():
        is_target = name.removeprefix("batch.") == answer.target or tensor is target_of(replay.batch)
        if tensor.is_floating_point() and tensor.numel() == size and not is_target:
            yield name, tensor


def _multiplied(batch: Batch, tensor: Tensor, factor: float) -> Batch:
    return changed(batch, lambda part: factor * part if part is tensor else part)
