"""What becomes of every value where the images are tiled, or the sequences repeated.

A mean over the elements stays what it is, a sum over them grows with their number. Resizing would change what the image
shows (a resized total variation doubles instead of growing fourfold); a tiled one shows the same, but for the seams.
Costs a forward of an image of four times the area, or of a sequence of twice the length.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from torch import Tensor

from ...errors import LossDoctorError
from ...records import Tiling
from ...setup.batches import changed
from ...setup.loss import Losses
from ..autograd_graph import ancestors
from ..tensors import tensors_in
from .made_batches import is_by_sample, size_of
from .replay import NotApplicableError, Replay, values_of

#: A plane smaller than this is a matrix, such as a rotation or a camera's, and no image.
LEAST_SIDE = 8


@dataclass(frozen=True)
class Tiles:
    """A way to make a batch larger without changing what it shows."""

    change: Callable[[Tensor], Tensor]
    factor: int  #: by which the number of elements of a sample grows


def probe_tiling(replay: Replay) -> tuple[Tiling, ...]:
    """Return how the value of every component changes where the samples are tiled.

    Raises NotApplicableError where nothing in the batch can be tiled, or where the model refuses it or takes it for
    more samples.
    """
    losses, factor = _larger(replay)
    values = values_of(losses)
    grown = _grown(replay.original, losses)
    return tuple(
        Tiling(objective, name, value, values.get((objective, name)), factor, _reads(losses, objective, name, grown))
        for (objective, name), value in replay.values.items()
    )


def _larger(replay: Replay) -> tuple[Losses, int]:
    """Return what the loss gives for the first way of tiling that the user's code accepts."""
    refusal = NotApplicableError("needs images or sequences that can be tiled")
    size = size_of(replay.batch)
    for tiles in _ways(replay.batch, size):
        try:
            losses = replay.losses_on(changed(replay.batch, tiles.change))
        except LossDoctorError as error:
            refusal = NotApplicableError(error.message, error.advice)
            continue
        if _keeps_samples(replay.original, losses, size):
            return losses, tiles.factor
        refusal = NotApplicableError("needs a model that does not take a larger image for more samples")
    raise refusal


def _ways(batch: object, size: int) -> Iterator[Tiles]:
    tensors = [tensor for tensor in tensors_in(batch).values() if is_by_sample(tensor, size)]
    planes = {
        tuple(tensor.shape[-2:]) for tensor in tensors if tensor.dim() > 3 and min(tensor.shape[-2:]) >= LEAST_SIDE
    }
    if planes:
        # Boxes and key points would have to be tiled as well: there is no telling where they are.
        if all(tensor.dim() < 3 or tuple(tensor.shape[-2:]) in planes for tensor in tensors):
            yield Tiles(lambda tensor: _tiled(tensor, planes, size), 4)
    elif tensors and tensors[0].dim() > 1:
        first = tensors[0]
        for dim in dict.fromkeys((first.dim() - 1, 1)):
            yield Tiles(_repeating(dim, first.shape[dim], size), 2)


def _tiled(tensor: Tensor, planes: set[tuple[int, ...]], size: int) -> Tensor:
    if tensor.dim() < 3 or not is_by_sample(tensor, size) or tuple(tensor.shape[-2:]) not in planes:
        return tensor
    return tensor.repeat(*(1,) * (tensor.dim() - 2), 2, 2)


def _repeating(dim: int, length: int, size: int) -> Callable[[Tensor], Tensor]:
    """Return what repeats every tensor along a dimension in which it is as long as the first one."""

    def repeat(tensor: Tensor) -> Tensor:
        if tensor.dim() <= dim or not is_by_sample(tensor, size) or tensor.shape[dim] != length:
            return tensor
        return tensor.repeat(*(2 if dim == at else 1 for at in range(tensor.dim())))

    return repeat


def _keeps_samples(original: Losses, larger: Losses, size: int) -> bool:
    before, after = tensors_in(original.output), tensors_in(larger.output)
    return all(
        name not in after or not is_by_sample(tensor, size) or is_by_sample(after[name], size)
        for name, tensor in before.items()
    )


def _grown(original: Losses, larger: Losses) -> list[Tensor]:
    """Return the tensors of the output that have become larger."""
    before = tensors_in(original.output)
    return [
        tensor
        for name, tensor in tensors_in(larger.output).items()
        if name in before and tensor.numel() > before[name].numel()
    ]


def _reads(losses: Losses, objective: str, component: str, grown: list[Tensor]) -> bool | None:
    """Return whether a component was computed from an output that has become larger; None where none is known."""
    if not tensors_in(losses.output) or (scalar := losses.objectives.get(objective, {}).get(component)) is None:
        return None
    nodes = ancestors([scalar])
    return any(tensor.grad_fn in nodes for tensor in grown)
