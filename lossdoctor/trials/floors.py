"""What a perfect prediction is worth: the value of every component where the model answers the target."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch.nn.functional as F
from torch import Tensor

from ..errors import LossDoctorError
from ..instruments.probes.replay import NotApplicableError, Replay, values_of
from ..instruments.tensors import tensors_in
from ..setup.batches import target_of, to
from ..setup.build import Setup
from ..setup.preserve import preserved

#: Logit of the right class: softmax leaves the others less than 1e-12, and float16 can hold it.
CERTAIN = 30.0

Floors = Mapping[str, Mapping[str, float]]


def perfect_values(setup: Setup, index: int) -> Floors:
    """Return the components of a batch for a perfect prediction, by objective.

    The loss runs as always, and the model answers the target: so penalties on the weights are what they are, and a step
    that calls the model itself is judged like any other loss. The target is taken for perfect where it has the shape of
    the output, or is its class. The model is left as it was.

    Raises LossDoctorError, whose message says why, where a perfect prediction or its value is not known.
    """
    with preserved(setup.model):
        replay = Replay(setup, index)
        perfect = perfect_output(replay.original.output, to(target_of(replay.batch), setup.device))
        if perfect is None:
            message = "needs a target of the output's shape, or its class, to know a perfect prediction"
            raise NotApplicableError(message)
        values = values_of(replay.on_output(perfect))
    if not all(map(math.isfinite, values.values())):
        message = "the loss of a perfect prediction is not finite"
        raise LossDoctorError(message)
    floors: dict[str, dict[str, float]] = {}
    for (objective, component), value in values.items():
        floors.setdefault(objective, {})[component] = value
    return floors


def perfect_output(output: Any, target: Any) -> Any | None:
    """Return `output` with the target in the place of its one tensor; None where they do not belong together."""
    tensors = tensors_in(output)
    if len(tensors) != 1 or not isinstance(target, Tensor):
        return None
    (tensor,) = tensors.values()
    perfect = _in_place_of(tensor, target)
    if perfect is None or isinstance(output, Tensor):
        return perfect
    if isinstance(output, Mapping):
        return {key: perfect if value is tensor else value for key, value in output.items()}
    return None


def _in_place_of(output: Tensor, target: Tensor) -> Tensor | None:
    if not output.is_floating_point():
        return None
    if target.is_floating_point():
        return target.to(output.dtype) if target.shape == output.shape else None
    has_classes = output.dim() > 1 and output.shape[1] > 1 and target.shape == output.shape[:1] + output.shape[2:]
    return _log_probabilities(output, target) if has_classes else None


def _log_probabilities(output: Tensor, target: Tensor) -> Tensor:
    """Return log-probabilities that are certain of the target: as good for losses that take logits, too.

    Labels that are no class, such as an `ignore_index`, are as good as any.
    """
    classes = output.shape[1]
    known = target.where((target >= 0) & (target < classes), 0)
    certain = CERTAIN * F.one_hot(known.long(), classes).movedim(-1, 1)
    return certain.to(output.dtype).log_softmax(1)
