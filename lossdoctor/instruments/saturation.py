"""Whether an output sits where its activation is flat, and whether it is right to sit there.

A classifier that is sure and right is as flat as one that is sure and wrong, so the output is held against whatever
in the batch could be its target. Costs nothing of its own: it looks at the forward that the other observers share.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd.graph import Node

from . import statistics
from .tensors import tensors_in

#: Slope, in parts of the steepest, up to which an activation is flat: a sigmoid beyond |x| = 6, a tanh beyond 3.
FLAT = 0.01

#: Distance from the target, in parts of the activation's range, from which an element is wrong.
FAR = 0.25

#: Backward nodes of the activations that are flat at both ends, and the width of their range.
_WIDTHS = {"SigmoidBackward0": 1.0, "TanhBackward0": 2.0}
_SOFTMAX = "SoftmaxBackward0"

#: Nodes behind which every element is still a linear function of one element of the activation.
_ELEMENTWISE = ("Mul", "Div", "Add", "Sub", "Rsub", "Neg", "Clone", "Alias", "ToCopy")
_RESHAPING = ("View", "Reshape", "UnsafeView", "Squeeze", "Unsqueeze")


@dataclass
class Saturation:
    """What one batch shows of one output; on the device."""

    flat: Tensor  # () share of the elements, or of the rows of a softmax
    wrong: Tensor | None  # () share of those that are far from the target; None where the batch has no target for them


def saturation_of(output: Tensor, batch: Any) -> Saturation | None:
    """Return how much of an output is saturated; None where no sigmoid, tanh or softmax made it.

    Of several tensors in the batch that could be its target, the one counts that it is closest to.
    """
    node = _activation_node(output)
    if node is None:
        return None
    made: Tensor = node._saved_result.detach()  # type: ignore[attr-defined]
    if node.name() == _SOFTMAX:
        return _of_softmax(made, min(node._saved_dim, made.dim() - 1), batch)  # type: ignore[attr-defined]
    return _of_elements(made.reshape(output.shape), output.detach(), _WIDTHS[node.name()], batch)


def _activation_node(output: Tensor) -> Node | None:
    """Return the node of the activation that an output is a linear function of, element by element."""
    node = output.grad_fn
    while node is not None and node.name() not in _WIDTHS:
        parents = [parent for parent, _ in node.next_functions if parent is not None]
        if node.name() == _SOFTMAX:
            return node if node is output.grad_fn else None
        if len(parents) != 1 or not node.name().startswith((*_ELEMENTWISE, *_RESHAPING)):
            return None
        node = parents[0]
    fits = node is not None and node._saved_result.numel() == output.numel()  # type: ignore[attr-defined]
    return node if fits else None


def _of_elements(made: Tensor, output: Tensor, width: float, batch: Any) -> Saturation:
    """Judge a sigmoid or a tanh: the slope is 4u(1 − u) of the steepest, u in [0, 1] its place in the range."""
    made, values = statistics.thinned(made).float(), statistics.thinned(output).float()
    unit = made if width == 1 else (made + 1) / 2
    flat = 4 * unit * (1 - unit) <= FLAT
    # What was scaled after the activation has a range of another width.
    scale = (values.std() / made.std()).nan_to_num(1.0, posinf=1.0)
    wrongs = [
        _share((values - statistics.thinned(target)).abs() > FAR * width * scale, flat)
        for target in _of_shape(output.shape, output.device, batch)
    ]
    return Saturation(flat.float().mean(), _least(wrongs))


def _of_softmax(probabilities: Tensor, dim: int, batch: Any) -> Saturation:
    """Judge a softmax row by row: the slopes p(1 − p) of a row are all small where that of its largest entry is."""
    most, winner = probabilities.float().max(dim)
    flat = (4 * most * (1 - most) <= FLAT) & (most > 0.5)  # 1/1000 each of many classes is not sure
    same_shape = _of_shape(probabilities.shape, probabilities.device, batch)
    indices = _of_shape(winner.shape, winner.device, batch, floating=False)
    wrongs = [_share(winner != target, flat) for target in (*(one_hot.argmax(dim) for one_hot in same_shape), *indices)]
    return Saturation(flat.float().mean(), _least(wrongs))


def _of_shape(shape: torch.Size, device: torch.device, batch: Any, *, floating: bool = True) -> Iterator[Tensor]:
    """Yield what in the batch has a shape, but for dimensions of length 1."""
    for tensor in tensors_in(batch, "batch").values():
        usable = not tensor.is_complex() and (floating or not tensor.is_floating_point())
        if usable and _without_ones(tensor.shape) == _without_ones(shape):
            yield tensor.detach().to(device, torch.float32).reshape(shape)


def _without_ones(shape: torch.Size) -> tuple[int, ...]:
    return tuple(length for length in shape if length != 1)


def _share(what: Tensor, of: Tensor) -> Tensor:
    return (what & of).sum() / of.sum().clamp(min=1)


def _least(shares: list[Tensor]) -> Tensor | None:
    return torch.stack(shares).amin() if shares else None
