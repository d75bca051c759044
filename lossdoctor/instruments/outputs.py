"""What the model puts out: ranges, zeros, the activation that made it, and the target beside it.

Costs nothing of its own: it looks at the forward that the other observers share.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ..facts.outputs import Output
from ..setup.loss import Losses
from . import statistics
from .saturation import Saturation, saturation_of
from .tensors import tensors_in

#: Backward nodes of activations, by the name that users know.
ACTIVATIONS = {
    "SigmoidBackward0": "sigmoid",
    "TanhBackward0": "tanh",
    "ReluBackward0": "relu",
    "SoftmaxBackward0": "softmax",
    "LogSoftmaxBackward0": "log_softmax",
    "LogSigmoidBackward0": "logsigmoid",
    "SoftplusBackward0": "softplus",
    "ClampBackward0": "clamp",
    "ClampBackward1": "clamp",
    "ClampMinBackward0": "clamp",
    "ClampMaxBackward0": "clamp",
    "LeakyReluBackward0": "leaky_relu",
    "HardtanhBackward0": "hardtanh",
    "HardsigmoidBackward0": "hardsigmoid",
    "EluBackward0": "elu",
    "GeluBackward0": "gelu",
    "SiluBackward0": "silu",
}

#: Nodes that only rearrange what an activation made.
_REARRANGING = (
    "Alias",
    "Expand",
    "Index",
    "View",
    "Reshape",
    "Permute",
    "Transpose",
    "Squeeze",
    "Unsqueeze",
    "Select",
    "Slice",
    "Split",
    "Unbind",
    "Clone",
    "ToCopy",
    "UnsafeView",
)


@dataclass
class _Seen:
    """One output tensor of one batch: its distribution is still on the device."""

    shape: tuple[int, ...]
    dtype: str
    activation: str | None
    has_channels: bool
    moments: Tensor
    zeros: Tensor  # ()
    between: Tensor | None  # ()
    target: Tensor | None  # moments
    saturation: Saturation | None


class OutputObserver:
    """Collects the output tensors of every batch and joins them."""

    def __init__(self) -> None:
        self._seen: dict[str, list[_Seen]] = {}

    def observe(self, losses: Losses, target: Any, batch: Any = None) -> None:
        """Take the output of one batch. `target` is the batch's target, where it has one."""
        for name, tensor in tensors_in(losses.output).items():
            if tensor.is_floating_point() and tensor.numel() and tensor.layout == torch.strided:
                self._seen.setdefault(name, []).append(_see(tensor, target, batch))

    def facts(self) -> tuple[Output, ...]:
        """Return the outputs, each joined over the batches."""
        return tuple(_joined(name, batches) for name, batches in self._seen.items())


def _see(tensor: Tensor, target: Any, batch: Any) -> _Seen:
    values = statistics.thinned(tensor.detach())
    has_target = isinstance(target, Tensor) and target.shape == tensor.shape
    return _Seen(
        shape=tuple(tensor.shape),
        dtype=str(tensor.dtype).removeprefix("torch."),
        activation=activation_of(tensor),
        has_channels=statistics.has_channels(tensor),
        moments=statistics.moments(tensor),
        zeros=(values == 0).float().mean(),
        between=values.float().std(0).mean() if values.dim() > 1 and len(values) > 1 else None,
        target=statistics.moments(target) if has_target else None,
        saturation=saturation_of(tensor, batch),
    )


def _joined(name: str, batches: Sequence[_Seen]) -> Output:
    first = batches[0]
    between = [seen.between for seen in batches if seen.between is not None]
    targets = [seen.target for seen in batches if seen.target is not None]
    with_channels = all(seen.has_channels for seen in batches)
    saturated = [seen.saturation for seen in batches if seen.saturation is not None]
    wrong = [saturation.wrong for saturation in saturated if saturation.wrong is not None]
    return Output(
        name=name,
        shape=first.shape,
        dtype=first.dtype,
        activation=first.activation,
        overall=statistics.overall(seen.moments for seen in batches),
        channels=statistics.by_channel(seen.moments for seen in batches) if with_channels else (),
        zeros=float(torch.stack([seen.zeros for seen in batches]).mean()),
        between_samples=float(torch.stack(between).mean()) if between else 0.0,
        target=statistics.overall(targets) if targets else None,
        saturated=float(torch.stack([saturation.flat for saturation in saturated]).mean()) if saturated else 0.0,
        saturated_wrong=float(torch.stack(wrong).mean()) if wrong else None,
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
