"""Which parameters are trained, which are reached by a component, which start at zero, and how large they are.

Costs a walk over the autograd graph per batch and one pass over the parameters, no gradient.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import nn

from ..records import ParameterFacts, ParameterSize
from ..setup.loss import Losses
from .autograd_graph import leaves
from .ownership import trainable


class ParameterObserver:
    """Collects which parameters the components reach, over all batches."""

    def __init__(self, model: nn.Module) -> None:
        self._model = model
        self._reached: set[int] = set()

    def observe(self, losses: Losses) -> None:
        """Take what the components of one batch reach."""
        for components in losses.objectives.values():
            for scalar in components.values():
                self._reached |= leaves(scalar)

    def facts(self) -> ParameterFacts:
        """Return what is trained and what is reached."""
        trained = trainable(self._model)
        frozen = [parameter for parameter in self._model.parameters() if not parameter.requires_grad]
        return ParameterFacts(
            trainable=sum(parameter.numel() for parameter in trained.values()),
            frozen=sum(parameter.numel() for parameter in frozen),
            unreached={
                name: parameter.numel() for name, parameter in trained.items() if id(parameter) not in self._reached
            },
            zero_initialised=tuple(
                name for name, parameter in trained.items() if parameter.dim() > 1 and not parameter.detach().any()
            ),
            sizes=_sizes(trained),
        )


def _sizes(parameters: Mapping[str, nn.Parameter]) -> dict[str, ParameterSize]:
    """Return how large the values of every parameter are, in one synchronisation."""
    filled = {name: parameter.detach() for name, parameter in parameters.items() if parameter.numel()}
    if not filled:
        return {}
    norms = [
        torch.linalg.vector_norm(value, dtype=torch.promote_types(value.dtype, torch.float32))
        for value in filled.values()
    ]
    on_host = torch.stack([norm.to(norms[0].device, torch.float64) for norm in norms]).tolist()
    return {
        name: ParameterSize(
            scalars=value.numel(),
            rms=norm / math.sqrt(value.numel()),
            dtype=str(value.dtype).removeprefix("torch."),
            dimensions=value.dim(),
        )
        for (name, value), norm in zip(filled.items(), on_host, strict=True)
    }
