"""Which parameters are trained, which are reached by a component, which start at zero, and how large they are.

Costs a walk over the autograd graph per batch and one pass over the parameters, no gradient. Only where some are
reached by none, those of the same shape are compared with them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from fnmatch import fnmatchcase

import torch
from torch import nn

from ..facts.parameters import ParameterFacts, ParameterSize
from ..setup.loss import Losses
from .autograd_graph import leaves
from .ownership import trainable


class ParameterObserver:
    """Collects which parameters the components reach, over all batches."""

    def __init__(self, model: nn.Module, patterns: str | Mapping[str, str] = "*") -> None:
        """`patterns` are those of the parameters that are trained, or one per objective, as in `Setup.parameters`."""
        self._model = model
        self._patterns = patterns
        self._objectives: set[str] = set()
        self._reached: set[int] = set()

    def observe(self, losses: Losses) -> None:
        """Take what the components of one batch reach."""
        self._objectives |= losses.objectives.keys()
        for components in losses.objectives.values():
            for scalar in components.values():
                self._reached |= leaves(scalar)

    def facts(self) -> ParameterFacts:
        """Return what is trained and what is reached."""
        trained = trainable(self._model)
        unreached = {name: parameter for name, parameter in trained.items() if self._is_missed(name, parameter)}
        reached = {name: parameter for name, parameter in trained.items() if id(parameter) in self._reached}
        frozen = [parameter for parameter in self._model.parameters() if not parameter.requires_grad]
        return ParameterFacts(
            trainable=sum(parameter.numel() for parameter in trained.values()),
            frozen=sum(parameter.numel() for parameter in frozen),
            unreached={name: parameter.numel() for name, parameter in unreached.items()},
            zero_initialised=tuple(
                name for name, parameter in trained.items() if parameter.dim() > 1 and not parameter.detach().any()
            ),
            sizes=_sizes(trained),
            copies=_copies(unreached, reached),
        )

    def _is_missed(self, name: str, parameter: nn.Parameter) -> bool:
        """Whether a parameter should be trained and is not: what no pattern selects is left to something else."""
        selected = self._patterns
        if not isinstance(selected, str):
            selected = selected if self._objectives <= selected.keys() else {"": "*"}
        patterns = [selected] if isinstance(selected, str) else selected.values()
        return id(parameter) not in self._reached and any(fnmatchcase(name, pattern) for pattern in patterns)


def _copies(unreached: Mapping[str, nn.Parameter], reached: Mapping[str, nn.Parameter]) -> dict[str, str]:
    """Return, of those parameters that nothing reaches, which are copies of what is trained, and of what.

    A module made by copying another, as a target network is, has the same values under the same names. What is the same
    everywhere, such as a bias of zeros, tells nothing by itself: it is a copy inside a module that is one.
    """
    modules = {
        _apart(name, other)
        for name, parameter in unreached.items()
        for other, trained in reached.items()
        if _is_same(parameter, trained) and bool((parameter != parameter.flatten()[0]).any())
    }
    copies = {}
    for name, parameter in unreached.items():
        for module, original in modules:
            other = original + name.removeprefix(module)
            if name.startswith(module) and other in reached and _is_same(parameter, reached[other]):
                copies[name] = other
    return copies


def _apart(name: str, other: str) -> tuple[str, str]:
    """Return the modules of two parameters without the part of the path that they have in common."""
    names, others = name.split("."), other.split(".")
    while names and others and names[-1] == others[-1]:
        names, others = names[:-1], others[:-1]
    return ".".join(names), ".".join(others)


def _is_same(parameter: nn.Parameter, other: nn.Parameter) -> bool:
    same_kind = parameter.shape == other.shape and parameter.dtype == other.dtype
    return same_kind and parameter.numel() > 0 and torch.equal(parameter, other)


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
