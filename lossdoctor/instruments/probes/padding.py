"""Whether what a batch marks as padded or ignored counts all the same.

The marked elements must get no gradient where the component looks at what they mark, and as many of them again must
leave its value as it is. The output is held, so that only the loss is asked, never what the model makes of padding.
Costs, for every mark, up to five runs of the loss without the model and a backward to the output for every component.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from ...errors import LossDoctorError
from ...facts.probes import NO_GRADIENT, Padding
from ...setup.batches import Batch, changed
from ...setup.loss import Losses
from ..autograd_graph import leaves
from .marks import Mark, axis_of, is_mixed, marks, named_tensors, spread
from .replay import NotApplicableError, Replay, Values, by_component, values_of

#: How many marked elements are appended, in parts of how many elements there are.
APPENDED = (1, 2)

#: Relative difference of two values that is none.
ROUNDING = 1e-4

Key = tuple[str, str]  #: objective and component


@dataclass(frozen=True)
class _Marked:
    """One batch with its marks, and the outputs of the model that have a place for each of them."""

    replay: Replay
    mark: Mark
    off: Tensor
    outputs: Mapping[str, list[Tensor]]  #: by path, the marks in its shape, in every alignment that may be meant

    @property
    def data(self) -> Tensor:
        """The tensor of the batch whose elements are marked."""
        return named_tensors(self.replay.batch)[self.mark.of]

    def with_data(self, data: Tensor) -> Batch:
        """Return the batch with other data in place of what is marked."""
        old = self.data
        return changed(self.replay.batch, lambda part: data if part is old else part)

    def run(self, batch: Batch) -> Values:
        """Return the values for the same output."""
        return values_of(self.replay.without_model(self.replay.original.output, batch))


def probe_padding(replay: Replay) -> tuple[Padding, ...]:
    """Return what marked elements are to every component that looks at what they mark.

    Raises NotApplicableError where the batch marks nothing, or no output has a place for every mark.
    """
    found = marks(replay.setup.batches)
    if not found:
        message = "needs a batch that marks what is padded or ignored: a label, a mask, lengths, a pad token"
        raise NotApplicableError(message)
    marked = [each for mark in found if (each := _marked(replay, mark)) is not None]
    if not marked:
        message = "needs an output of the model with a place for every element that the batch marks"
        raise NotApplicableError(message)
    return tuple(fact for each in marked for fact in _facts(each))


def _marked(replay: Replay, mark: Mark) -> _Marked | None:
    index = next(i for i, off in enumerate(mark.off) if is_mixed(off))
    replay = replay if index == replay.index else Replay(replay.setup, index)
    outputs = {name: _alignments(mark.off[index], tensor) for name, tensor in replay.outputs.items()}
    outputs = {name: placed for name, placed in outputs.items() if placed}
    return _Marked(replay, mark, mark.off[index], outputs) if outputs else None


def _alignments(off: Tensor, output: Tensor) -> list[Tensor]:
    """Return the marks in the shape of an output, and, in a sequence, of one that predicts the following element."""
    following = [off[:, 1:], torch.cat([off[:, 1:], torch.ones_like(off[:, :1])], 1)] if off.dim() == 2 else []
    before = [off[:, :-1]] if off.dim() == 2 else []
    placed = (spread(each, output.shape) for each in (off, *before, *following))
    return [each.to(output.device) for each in placed if each is not None]


def _facts(marked: _Marked) -> Iterator[Padding]:
    losses, held = _with_held_outputs(marked)
    values = values_of(losses)
    scalars = by_component(losses)
    slopes = {key: slope for key, scalar in scalars.items() if (slope := _slope(marked, scalar, held)) is not None}
    if not slopes:
        return
    looks = _that_change(marked, values, _elsewhere(marked))
    blank = marked.data.is_floating_point()
    compares = _that_change(marked, values, _in_place(marked)) if blank else looks
    appended = _appended(marked) if any(slope <= NO_GRADIENT for slope in slopes.values()) else []
    for key, slope in slopes.items():
        honours = slope <= NO_GRADIENT
        if key not in (looks if honours else compares) or not (honours or marked.mark.is_certain):
            continue
        yield Padding(
            *key,
            marked.mark.says,
            float(marked.off.double().mean()),
            slope,
            values[key],
            tuple(values[key] for values in appended) if honours else (),
        )


def _with_held_outputs(marked: _Marked) -> tuple[Losses, dict[str, Tensor]]:
    """Return the losses with the output in place of the model, and those of its tensors that have marks."""
    replay = marked.replay
    held = {name: replay.outputs[name].clone().requires_grad_() for name in marked.outputs}
    instead = {id(replay.outputs[name]): leaf for name, leaf in held.items()}
    output = changed(replay.original.output, lambda part: instead.get(id(part), part))
    return replay.without_model(output, replay.batch), held


def _slope(marked: _Marked, scalar: Tensor, held: Mapping[str, Tensor]) -> float | None:
    """Return the gradient at marked elements, in parts of what it is at others; None where there is no gradient.

    Of several alignments the one counts in which the marked elements get the least.
    """
    reached = leaves(scalar) if scalar.requires_grad else set()
    slopes = []
    for name, leaf in held.items():
        if id(leaf) not in reached:
            continue
        (gradient,) = torch.autograd.grad(scalar, leaf, retain_graph=True)
        size = gradient.abs().double()
        parts = [float(size[off].mean()) / float(size[~off].mean()) for off in marked.outputs[name] if size[~off].any()]
        if parts and all(map(math.isfinite, parts)):
            slopes.append(min(parts))
    return max(slopes, default=None)


def _that_change(marked: _Marked, values: Values, data: Tensor) -> set[Key]:
    """Return the components that have another value where the data is other; none where the user's code refuses it."""
    try:
        others = marked.run(marked.with_data(data))
    except LossDoctorError:
        return set()
    return {key for key, value in values.items() if not math.isclose(value, others[key], rel_tol=ROUNDING)}


def _elsewhere(marked: _Marked) -> Tensor:
    """Return the data with something else in every element that counts."""
    data, off = marked.data, _off(marked)
    if data.is_floating_point():
        return torch.where(off, data, data + data[~off].std())
    values = data[~off].unique()  # every class or token becomes the next one
    following = values.roll(-1)[torch.searchsorted(values, data.clamp(values[0], values[-1]).contiguous())]
    return torch.where(off, data, following)


def _in_place(marked: _Marked) -> Tensor:
    """Return the data with something else in every marked element."""
    data, off = marked.data, _off(marked)
    return torch.where(off, data + data[~off].std(), data)


def _off(marked: _Marked) -> Tensor:
    off = spread(marked.off, marked.data.shape)
    if off is None:  # the marks are those of the data itself, which has dimensions of one element
        off = marked.off.reshape(marked.data.shape)
    return off.to(marked.data.device)


def _appended(marked: _Marked) -> list[Values]:
    """Return the values with as many elements again, and twice as many, all of them marked.

    None where the user's code refuses them.
    """
    try:
        return [_with_appended(marked, times * marked.off.shape[1]) for times in APPENDED]
    except LossDoctorError:
        return []


def _with_appended(marked: _Marked, count: int) -> Values:
    positions = marked.off.shape[1:]

    def longer(tensor: Tensor) -> Tensor:
        off = spread(marked.off, tensor.shape) if tensor.dim() else None
        axis = axis_of(tensor.shape, positions)
        if off is None or axis is None:
            return tensor
        there = tensor[off.to(tensor.device)]
        blank = there[:1] if len(there) and bool((there == there[0]).all()) else tensor.new_zeros(1)
        return torch.cat([tensor, blank.expand(_resized(tensor.shape, axis, count))], axis)

    def longer_output(tensor: Tensor) -> Tensor:
        if not any(marked.replay.outputs[name] is tensor for name in marked.outputs):
            return tensor
        places = (axis_of(tensor.shape, each) for each in (positions, (positions[0] - 1,)))
        axis = next(place for place in places if place is not None)
        return torch.cat([tensor, tensor.narrow(axis, 0, 1).expand(_resized(tensor.shape, axis, count))], axis)

    replay = marked.replay
    return values_of(
        replay.without_model(changed(replay.original.output, longer_output), changed(replay.batch, longer))
    )


def _resized(shape: torch.Size, axis: int, length: int) -> tuple[int, ...]:
    return (*shape[:axis], length, *shape[axis + 1 :])
