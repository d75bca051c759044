"""What a model would answer that is always right: the target, in the form of the model's output."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from ...setup.batches import target_of, to
from ..tensors import tensors_in
from .replay import NotApplicableError, Replay

#: Probability that a sure classifier leaves for all classes together: −log of it is finite, in half precision as well.
DOUBT = 1e-3

#: How far the sum of probabilities may be off 1.
_ROUNDING = 1e-2


@dataclass(frozen=True)
class Answer:
    """A tensor of the output that could be right, and what makes it so."""

    output: str  #: path of the tensor
    target: str  #: name of the tensor in the batch
    right: Tensor  #: the output that is right
    classes: int | None = None  #: the dimension of the classes, where the target are indices of such

    def shuffled(self, shift: int) -> Tensor:
        """Return what would be right for other samples; for a single one, elsewhere in it."""
        if len(self.right) > 1:
            return self.right.roll(shift, 0)
        return self.right.roll(shift, tuple(d for d in range(1, self.right.dim()) if d != self.classes))


def answers(replay: Replay) -> list[Answer]:
    """Return the tensors of the output that have a target in the batch, with what would be right.

    A target has the shape of the output, or, as indices of classes, that shape without the dimension of the classes.
    Raises NotApplicableError where there is none.
    """
    found = [
        answer
        for output, tensor in replay.outputs.items()
        for target, given in _targets(replay).items()
        if (answer := _answer(output, tensor, target, given)) is not None
    ]
    if not found:
        message = "needs an output of the model and a target in the batch that can be compared"
        raise NotApplicableError(message)
    return found


def _targets(replay: Replay) -> Mapping[str, Tensor]:
    """Return what in the batch can be a target: the declared one, else everything but the input."""
    declared = target_of(replay.batch)
    entries = tensors_in(declared, "target") if declared is not None else dict(_entries(replay.batch))
    return {name: to(tensor, replay.setup.device) for name, tensor in entries.items() if tensor.numel()}


def _entries(batch: object) -> Iterator[tuple[str, Tensor]]:
    if isinstance(batch, Mapping):
        for key, value in batch.items():
            if key != "input":
                yield from tensors_in(value, str(key)).items()
    elif isinstance(batch, Tensor):
        yield "input", batch


def _answer(output: str, tensor: Tensor, name: str, target: Tensor) -> Answer | None:
    if target.is_complex():
        return None
    if target.shape == tensor.shape:
        return Answer(output, name, target.detach().to(tensor.dtype))
    if _without_ones(target.shape) == _without_ones(tensor.shape) and target.numel() > 1:
        return Answer(output, name, target.detach().to(tensor.dtype).reshape(tensor.shape))
    dim = _dimension_of_classes(tensor, target)
    return None if dim is None else Answer(output, name, _sure(tensor, target, dim), dim)


def _without_ones(shape: torch.Size) -> tuple[int, ...]:
    return tuple(length for length in shape if length != 1)


def _dimension_of_classes(tensor: Tensor, target: Tensor) -> int | None:
    """Return the dimension of the output that holds classes: the second, as torch has it, or the last."""
    if target.is_floating_point() or target.dtype == torch.bool or tensor.dim() < 2:
        return None
    for dim in dict.fromkeys((1, tensor.dim() - 1)):
        shape = (*tensor.shape[:dim], *tensor.shape[dim + 1 :])
        classes = tensor.shape[dim]
        counted = target[(target >= 0) & (target < classes)]
        # What is no class (−100, 255) is ignored; most are classes.
        if target.shape == shape and classes > 1 and 2 * counted.numel() > target.numel():
            return dim
    return None


def _sure(tensor: Tensor, target: Tensor, dim: int) -> Tensor:
    """Return the output of a classifier that is sure of the target: as probabilities where it gives such, else logs."""
    classes = tensor.shape[dim]
    valid = (target >= 0) & (target < classes)
    one_hot = torch.zeros_like(tensor).scatter_(dim, (target * valid).long().unsqueeze(dim), 1.0)
    probabilities = (1 - DOUBT) * one_hot + DOUBT / classes
    sums = tensor.sum(dim)
    are_probabilities = bool(((sums - 1).abs() < _ROUNDING).all()) and bool((tensor >= 0).all())
    return probabilities if are_probabilities else probabilities.log()
