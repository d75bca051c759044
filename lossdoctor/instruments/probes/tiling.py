"""What becomes of every value where the images are tiled, or the sequences repeated.

A mean over the elements stays what it is, a sum over them grows with their number. Resizing would change what the image
shows (the total variation of one that is resized doubles instead of growing fourfold); a tiled one shows the same, but
for the seams. Costs a forward of an image of twice the width, or of a sequence of twice the length; where the model
refuses what is no square, of an image of four times the area.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from torch import Tensor
from torch.autograd.graph import Node

from ...errors import LossDoctorError
from ...facts.probes import Tiling
from ...setup.batches import changed
from ...setup.loss import Losses
from ..autograd_graph import ancestors
from ..tensors import tensors_in
from .made_batches import is_by_sample, size_of
from .replay import NotApplicableError, Replay, by_component, values_of

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
    values, reads = values_of(losses), _reads_elements(replay, losses)
    return tuple(
        Tiling(objective, name, value, values.get((objective, name)), factor, reads.get((objective, name)))
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
            yield Tiles(lambda tensor: _tiled(tensor, (1, 2), planes, size), 2)
            yield Tiles(lambda tensor: _tiled(tensor, (2, 2), planes, size), 4)
    elif tensors and tensors[0].dim() > 1:
        first = tensors[0]
        for dim in dict.fromkeys((first.dim() - 1, 1)):
            yield Tiles(_repeating(dim, first.shape[dim], size), 2)


def _tiled(tensor: Tensor, times: tuple[int, int], planes: set[tuple[int, ...]], size: int) -> Tensor:
    if tensor.dim() < 3 or not is_by_sample(tensor, size) or tuple(tensor.shape[-2:]) not in planes:
        return tensor
    return tensor.repeat(*(1,) * (tensor.dim() - 2), *times)


def _repeating(dim: int, length: int, size: int) -> Callable[[Tensor], Tensor]:
    """Return what repeats every tensor along a dimension that is as long as the first one's, or a multiple of it.

    The samples of a signal are a multiple of the frames of its spectrogram.
    """

    def repeat(tensor: Tensor) -> Tensor:
        along = tensor.dim() - 1 if dim > 1 else dim
        if tensor.dim() < 2 or not is_by_sample(tensor, size):
            return tensor
        if tensor.shape[along] != length and (length < LEAST_SIDE or tensor.shape[along] % length):
            return tensor
        return tensor.repeat(*(2 if along == at else 1 for at in range(tensor.dim())))

    return repeat


def _keeps_samples(original: Losses, larger: Losses, size: int) -> bool:
    before, after = tensors_in(original.output), tensors_in(larger.output)
    return all(
        name not in after or not is_by_sample(tensor, size) or is_by_sample(after[name], size)
        for name, tensor in before.items()
    )


def _reads_elements(replay: Replay, larger: Losses) -> dict[tuple[str, str], bool]:
    """Return which components have more elements to reduce; nothing where the model's output is unknown.

    They are computed from an output that has grown, or reduce something inside the model that has. A divergence of a
    latent vector does neither.
    """
    before = tensors_in(replay.original.output)
    after = tensors_in(larger.output)
    if not before:
        return {}
    grown = [after[name] for name, tensor in before.items() if name in after and after[name].numel() > tensor.numel()]
    scalars = by_component(larger)
    reads = {key: any(tensor.grad_fn in ancestors([scalar]) for tensor in grown) for key, scalar in scalars.items()}
    if not all(reads.values()):
        original = by_component(replay.with_graph)
        for key, scalar in scalars.items():
            reads[key] |= key in original and _reduced(scalar) > _reduced(original[key])
    return reads


def _reduced(scalar: Tensor) -> int:
    """Return how many elements enter the reductions of a component, up to the layers that made them."""
    return sum(map(_entering, ancestors([scalar], unless=_is_layer)))


def _entering(node: Node) -> int:
    """Return how many elements enter a reduction; 0 for what is none."""
    saved: Any = node
    if node.name().startswith(("Mean", "Sum")):
        return math.prod(saved._saved_self_sym_sizes)
    return saved._saved_self.numel() if "Loss" in node.name() and hasattr(node, "_saved_self") else 0


def _is_layer(node: Node) -> bool:
    return node.name().startswith(("Addmm", "Mm", "Bmm", "Convolution", "NativeBatchNorm", "NativeLayerNorm"))
