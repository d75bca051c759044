"""What a model would answer that is always right: the target, in the form of the model's output."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from ...facts.statistics import Statistics
from ...setup.batches import Batch, changed, named_parts, target_of, to
from ...setup.loss import Losses
from .. import statistics
from ..tensors import tensors_in
from .replay import NotApplicableError, Replay, Values, values_of

#: Probability that a sure classifier leaves for all classes together: −log of it is finite, in half precision as well.
DOUBT = 1e-3

#: How many classes are asked for one by one, at most: two would do, and a few are no effort.
CLASSES = 8

#: How far the sum of probabilities may be off 1.
_ROUNDING = 1e-2


@dataclass(frozen=True, eq=False)
class Answer:
    """A tensor of the output that could be right, and what makes it so."""

    output: str  #: path of the tensor
    target: str  #: name of the tensor in the batch
    right: Tensor  #: the output that is right
    classes: int | None = None  #: the dimension of the classes, where the target are indices of such

    def shuffled(self, shift: int) -> Tensor:
        """Return what would be right for other samples; for a single one, elsewhere in it."""
        if len(self.right) > 1:
            return self.right.roll(1 + (shift - 1) % (len(self.right) - 1), 0)
        return self.right.roll(shift, tuple(d for d in range(1, self.right.dim()) if d != self.classes))


def answers(replay: Replay) -> list[Answer]:
    """Return the tensors of the output that have a target in the batch, with what would be right.

    A target has the shape of the output, or, as indices of classes, that shape without the dimension of the classes.
    Raises NotApplicableError where there is none.
    """
    found = [answer for output, tensor in replay.outputs.items() for answer in _answers_of(replay, output, tensor)]
    if not found:
        message = "needs an output of the model and a target in the batch that can be compared"
        raise NotApplicableError(message)
    return found


def at_right(replay: Replay, answer: Answer, batch: Batch | None = None) -> tuple[Tensor, Losses]:
    """Return the right answer as a leaf, and what the loss gives for it, with the graph that begins there."""
    leaf = answer.right.clone().requires_grad_()
    return leaf, replay.on_tensor(answer.output, leaf.clone(), batch)  # a leaf could not be changed in place


def at_wrong(replay: Replay, answer: Answer, shift: int, batch: Batch | None = None) -> Values:
    """Return the values where every sample is answered with what would be right for another."""
    return values_of(replay.on_tensor(answer.output, answer.shuffled(shift), batch))


def _answers_of(replay: Replay, output: str, tensor: Tensor) -> list[Answer]:
    """Return what would be right of one output: by the declared target, else, as of an autoencoder, by the input."""
    for targets in (_targets(replay), _input(replay)):
        found = [_answer(output, tensor, name, target) for name, target in targets.items()]
        if fitting := [answer for answer in found if answer is not None]:
            return fitting
    return []


def _targets(replay: Replay) -> Mapping[str, Tensor]:
    """Return what in the batch can be a target: the declared one, else everything but the input."""
    declared = {name: tensor for name, tensor in _entries(replay.batch).items() if name != "input"}
    return {name: to(tensor, replay.setup.device) for name, tensor in declared.items() if tensor.numel()}


def _input(replay: Replay) -> Mapping[str, Tensor]:
    """Return the input, where it consists of numbers."""
    given = _entries(replay.batch).get("input")
    usable = given is not None and given.is_floating_point() and given.numel()
    return {"input": to(given, replay.setup.device)} if usable else {}


def entry(batch: Batch, name: str) -> Tensor | None:
    """Return the tensor of a batch that an answer was made of."""
    return _entries(batch).get(name)


def of_one_class(replay: Replay, answer: Answer) -> Iterator[Values]:
    """Yield the values where every sample is of one class and is answered so, for some of the classes that occur."""
    target = entry(replay.batch, answer.target)
    if target is None or answer.classes is None:
        return
    present = target[(target >= 0) & (target < answer.right.shape[answer.classes])].unique()
    for label in present[:: -(-len(present) // CLASSES)].tolist():
        yield _all_of_class(replay, answer, torch.isin(target, present), label)


def _all_of_class(replay: Replay, answer: Answer, counted: Tensor, label: int) -> Values:
    """Return the values where every label that counts is `label`; what is no class (-100, 255) stays what it is."""
    target = entry(replay.batch, answer.target)
    same = torch.where(counted, label, torch.as_tensor(target))
    batch = changed(replay.batch, lambda part: same if part is target else part)
    right = _sure(replay.outputs[answer.output], to(same, replay.setup.device), answer.classes or 0)
    return values_of(replay.on_tensor(answer.output, right, batch))


def statistics_of_target(replay: Replay, answer: Answer) -> Statistics | None:
    """Return the distribution of a target over all batches, None where a batch has none."""
    found = [entry(batch, answer.target) for batch in replay.setup.batches]
    seen = [statistics.moments(tensor.to(replay.setup.device)) for tensor in found if tensor is not None]
    return statistics.overall(seen) if len(seen) == len(found) else None


def _entries(batch: Batch) -> dict[str, Tensor]:
    """Return the input and what may be a target: the declared one, or, where parts have names, all there is."""
    if isinstance(batch, Tensor):
        return {"input": batch}
    declared = target_of(batch)
    if (parts := named_parts(batch)) is not None:
        given = parts.get("input")
        others = parts if declared is None else {}
        named = {key: value for key, part in others.items() for key, value in tensors_in(part, str(key)).items()}
    else:
        given, named = (batch[0], {}) if isinstance(batch, (tuple, list)) and batch else (None, {})
    return {
        **named,
        **(tensors_in(declared, "target") if declared is not None else {}),
        **({"input": given} if isinstance(given, Tensor) else {}),
    }


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
