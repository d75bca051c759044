"""What a perfect prediction is worth: the value of every component with the model's output replaced by the target."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..errors import LossDoctorError
from ..instruments.tensors import tensors_in
from ..setup.batches import target_of
from ..setup.build import Setup
from ..setup.preserve import preserved

#: Logit of the right class: softmax leaves the others less than 1e-12, and float16 can hold it.
CERTAIN = 30.0


def perfect_values(setup: Setup, index: int) -> Mapping[str, Mapping[str, float]] | str:
    """Return the components of a batch for a perfect prediction, by objective, or why they are not known.

    The forward runs as always, and a hook puts the target in the place of what the model returns: so penalties on the
    weights are what they are, and a step that calls the model itself is judged like any other loss. The target is taken
    for perfect where it has the shape of the output, or is its class.
    """
    calls: list[bool] = []

    def put_target(_module: nn.Module, _arguments: object, output: Any) -> Any:
        perfect = perfect_output(output, target_of(setup.batches[index]))
        calls.append(perfect is not None)
        return output if perfect is None else perfect

    if isinstance(setup.model, torch.jit.ScriptModule):
        return "a scripted model takes no hooks"
    with preserved(setup.model), torch.enable_grad():
        hook = setup.model.register_forward_hook(put_target)
        try:
            losses = setup.evaluate(index)
        except LossDoctorError as error:
            return f"the loss refuses the target as a prediction: {error.message}"
        finally:
            hook.remove()
    if calls != [True]:
        return _why_not(calls)
    values = {
        name: {component: float(scalar.detach()) for component, scalar in components.items()}
        for name, components in losses.objectives.items()
    }
    finite = all(math.isfinite(value) for components in values.values() for value in components.values())
    return values if finite else "a perfect prediction has a loss that is not finite"


def _why_not(calls: list[bool]) -> str:
    if not calls:
        return "the loss does not call the model as a whole, so a perfect prediction is not known"
    if len(calls) > 1:
        return "the loss calls the model more than once, so a perfect prediction is not known"
    return "no target of the output's shape, so a perfect prediction is not known"


def perfect_output(output: Any, target: Any) -> Any | None:
    """Return `output` with the target in the place of its one tensor; None where they do not belong together."""
    tensors = tensors_in(output)
    if len(tensors) != 1 or not isinstance(target, Tensor):
        return None
    ((_, tensor),) = tensors.items()
    perfect = _in_place_of(tensor, target.to(tensor.device))
    if perfect is None or isinstance(output, Tensor):
        return perfect
    if isinstance(output, Mapping):
        return type(output)({key: perfect if value is tensor else value for key, value in output.items()})  # type: ignore[call-arg]
    return None


def _in_place_of(output: Tensor, target: Tensor) -> Tensor | None:
    if not output.is_floating_point():
        return None
    if target.is_floating_point() and target.shape == output.shape:
        return target.to(output.dtype)
    is_class = (
        not target.is_floating_point() and output.dim() > 1 and target.shape == output.shape[:1] + output.shape[2:]
    )
    return _log_probabilities(output, target) if is_class and output.shape[1] > 1 else None


def _log_probabilities(output: Tensor, target: Tensor) -> Tensor:
    """Return log-probabilities that are certain of the target: as good for losses that take logits, too.

    Labels that are no class, such as an `ignore_index`, are as good as any.
    """
    classes = output.shape[1]
    known = target.where((target >= 0) & (target < classes), 0)
    certain = CERTAIN * F.one_hot(known.long(), classes).movedim(-1, 1)
    return certain.to(output.dtype).log_softmax(1)
