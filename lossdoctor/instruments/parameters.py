"""Which parameters are trained, which are reached by a component, and which start at zero.

Costs a walk over the autograd graph per batch, no gradient.
"""

from __future__ import annotations

from torch import nn

from ..records import ParameterFacts
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
        )
