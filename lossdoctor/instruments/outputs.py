"""What the model puts out: ranges, zeros, the activation that made it, and the target beside it.

Costs nothing of its own: it looks at the forward that the other observers share.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ..records import Output
from ..setup.loss import Losses
from . import statistics
from .tensors import tensors_in

#: Backward nodes of activations, by the name that users know.
ACTIVATIONS = {
    "SigmoidBackward0": "sigmoid",
    "TanhBackward0": "tanh",
    "ReluBackward0": "relu",
    "SoftmaxBackward0": "softmax",
    "LogSoftmaxBackward0": "log_softmax",
    "SoftplusBackward0": "softplus",
    "ClampBackward1": "clamp",
    "ClampMinBackward0": "clamp",
    "LeakyReluBackward0": "leaky_relu",
    "HardtanhBackward0": "hardtanh",
    "GeluBackward0": "gelu",
}

#: Nodes that only rearrange what an activation made.
_REARRANGING = (
    "View",
    "Reshape",
    "Permute",
    "Transpose",
    "Squeeze",
    "Unsqueeze",
    "Slice",
    "Clone",
    "ToCopy",
    "UnsafeView",
)


@dataclass
class _Seen:
    first: Tensor
    activation: str | None
    overall: list[Tensor]
    channels: list[Tensor]
    zeros: list[Tensor]
    between: list[Tensor]
    target: list[Tensor]


class OutputObserver:
    """Collects the output tensors of every batch and joins them."""

    def __init__(self) -> None:
        self._seen: dict[str, _Seen] = {}

    def observe(self, losses: Losses, target: Any) -> None:
        """Take the output of one batch. `target` is the batch's target, where it has one."""
        for name, tensor in tensors_in(losses.output).items():
            if not tensor.is_floating_point() or not tensor.numel():
                continue
            seen = self._seen.setdefault(name, _Seen(tensor.detach(), activation_of(tensor), [], [], [], [], []))
            values = tensor.detach()
            seen.overall.append(statistics.moments(values))
            if statistics.has_channels(values):
                seen.channels.append(statistics.moments(values, by_channel=True))
            seen.zeros.append((values == 0).float().mean())
            if values.dim() > 1 and len(values) > 1:
                seen.between.append(values.float().std(0).mean())
            if isinstance(target, Tensor) and target.shape == values.shape:
                seen.target.append(statistics.moments(target))

    def facts(self) -> tuple[Output, ...]:
        """Return the outputs, each joined over the batches."""
        return tuple(self._joined(name, seen) for name, seen in self._seen.items())

    @staticmethod
    def _joined(name: str, seen: _Seen) -> Output:
        return Output(
            name=name,
            shape=tuple(seen.first.shape),
            dtype=str(seen.first.dtype).removeprefix("torch."),
            activation=seen.activation,
            overall=statistics.join([moments.tolist() for moments in seen.overall])[0],
            channels=statistics.join([moments.tolist() for moments in seen.channels]) if seen.channels else (),
            zeros=float(torch.stack(seen.zeros).mean()),
            between_samples=float(torch.stack(seen.between).mean()) if seen.between else 0.0,
            target=statistics.join([moments.tolist() for moments in seen.target])[0] if seen.target else None,
        )


def activation_of(tensor: Tensor) -> str | None:
    """Return the activation that made a tensor, looking through reshapes and slices; None where it is none."""
    node = tensor.grad_fn
    while node is not None:
        name = node.name()
        if name in ACTIVATIONS:
            return ACTIVATIONS[name]
        if not name.startswith(_REARRANGING) or not node.next_functions:
            return None
        node = node.next_functions[0][0]
    return None
