"""Which components are not finite, in value or in gradient."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from ...setup.device import plain_float32
from ...setup.loss import Losses
from ..autograd_graph import ancestors, leaf_tensors
from ..tensors import tensors_in
from .replay import by_component, values_of

#: "value" or "gradient" by (objective, component).
Broken = Mapping[tuple[str, str], str]


def broken(losses: Losses) -> Broken:
    """Return the components whose value, or else whose gradient, is not finite.

    Costs one backward to the model's output, or through the model where that is unknown, for all components together;
    one more for each of them where something is not finite.
    """
    scalars = by_component(losses)
    found = {key: "value" for key, value in values_of(losses).items() if not math.isfinite(value)}
    attached = {key: scalar for key, scalar in scalars.items() if key not in found and scalar.requires_grad}
    if attached and not _has_finite_gradient(list(attached.values()), losses):
        for key, scalar in attached.items():
            if not _has_finite_gradient([scalar], losses):
                found[key] = "gradient"
    return found


def _has_finite_gradient(scalars: Sequence[Tensor], losses: Losses) -> bool:
    gradients = gradients_of(scalars, losses)
    flags = [_values(gradient).isfinite().all() for gradient in gradients]
    return not flags or bool(torch.stack([flag.to(flags[0].device) for flag in flags]).all())


def gradients_of(scalars: Sequence[Tensor], losses: Losses, scale: float = 1.0) -> list[Tensor]:
    """Return the gradient of the sum of scalars, times `scale`: at the model's output where all of them come from it.

    A loss that singles out one element of the output shows there; what the model makes of it does not. Elsewhere it is
    the gradient with respect to every parameter. The graph is kept.
    """
    outputs = [tensor for tensor in tensors_in(losses.output).values() if tensor.requires_grad and tensor.dim()]
    if not all(_comes_from(scalar, outputs) for scalar in scalars):
        outputs = list({id(leaf): leaf for scalar in scalars for leaf in leaf_tensors(scalar)}.values())
    device = scalars[0].device
    with plain_float32(), torch.autocast(device.type, enabled=False):
        total = torch.stack([scalar.to(device, torch.promote_types(scalar.dtype, torch.float32)) for scalar in scalars])
        gradients = torch.autograd.grad(total.sum() * scale, outputs, retain_graph=True, allow_unused=True)
    return [gradient for gradient in gradients if gradient is not None]


def _comes_from(scalar: Tensor, outputs: Sequence[Tensor]) -> bool:
    nodes = ancestors([scalar])
    leaves = {id(leaf) for leaf in leaf_tensors(scalar)}
    return any(output.grad_fn in nodes or id(output) in leaves for output in outputs)


def _values(gradient: Tensor) -> Tensor:
    return gradient.coalesce().values() if gradient.is_sparse else gradient
