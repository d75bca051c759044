"""Where the gradient of a component comes to its end, when nothing of it reaches the parameters.

Costs a forward, and a backward per component whose gradient is exactly zero in every batch, and a few more of both
where it was multiplied by zero; nothing where none is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd.graph import Node
from torch.utils.hooks import RemovableHandle

from ..facts.anomalies import DeadEnd
from ..facts.gradients import ObjectiveGradients
from ..setup.build import Setup
from ..setup.preserve import preserved
from ..setup.user_code import blaming
from .autograd_graph import ancestors, forward_line, forward_name
from .ownership import trainable

#: Operations that are flat below something, and above something. A clamp is both.
_FLAT_BELOW = frozenset({"relu", "clamp_min", "maximum", "threshold"})
_FLAT_ABOVE = frozenset({"clamp_max", "minimum"})

#: Operations that leave out what a mask does not select.
_SELECTING = frozenset({"mul", "where", "masked_fill"})

#: Factors of all parameters that make a classifier surer, deep or shallow: what is sure of everything has no
#: gradient again.
_SURER = (1.1, 1.5, 2.0, 4.0, 16.0, 64.0)


def find_dead_ends(setup: Setup, objectives: Sequence[ObjectiveGradients]) -> tuple[DeadEnd, ...]:
    """Return, for every attached component whose gradient is exactly zero, the operation that let nothing through."""
    return tuple(
        dead_end
        for objective in objectives
        for k, name in enumerate(objective.components)
        if objective.attached[k] and objective.weights[k] and _vanishes(objective, k)
        for dead_end in _dead_end(setup, objective.name, name, objective.weights[k])
    )


def _vanishes(objective: ObjectiveGradients, k: int) -> bool:
    return all(gramian[k][k] == 0 for block in objective.blocks for gramian in block.gramians)


def _dead_end(setup: Setup, objective: str, component: str, weight: float) -> Iterator[DeadEnd]:
    """Differentiate a component on the first batch and yield the operation nearest to it that passed nothing on."""
    with torch.autograd.set_detect_anomaly(True, check_nan=False):
        scalar = setup.evaluate(0).objectives.get(objective, {}).get(component)
    if scalar is None or not scalar.requires_grad:
        return
    stopped: list[tuple[Node, bool]] = []

    def watch(node: Node) -> RemovableHandle:
        def hook(passed_on: tuple[Any, ...], received: tuple[Any, ...]) -> None:
            if any(map(_is_something, received)) and not any(map(_is_something, passed_on)):
                stopped.append((node, _is_met(node, [sign * tensor for tensor in received if tensor is not None])))

        sign = 1.0 if weight > 0 else -1.0
        return node.register_hook(hook)

    handles = [watch(node) for node in ancestors([scalar])]
    _differentiate(setup, component, scalar)
    for handle in handles:
        handle.remove()
    if stopped:
        first = stopped[0][0]
        met = all(is_met for _, is_met in stopped)
        name = forward_name(first)
        selects = name in _SELECTING and any(_has_gradient(setup, objective, component, surer) for surer in _SURER)
        yield DeadEnd(objective, component, name, met, forward_line(first), selects)


def _has_gradient(setup: Setup, objective: str, component: str, factor: float) -> bool:
    """Whether a component has a gradient on the first batch where all parameters are larger by a factor.

    What a mask of the data leaves out, or a threshold that no prediction can pass, has none for any parameters.
    """
    with preserved(setup.model):
        with torch.no_grad():
            for parameter in setup.model.parameters():
                parameter.mul_(factor)
        scalar = setup.evaluate(0).objectives.get(objective, {}).get(component)
        if scalar is None or not scalar.requires_grad:
            return False
        found = _differentiate(setup, component, scalar)
    return any(gradient is not None and bool((gradient != 0).any()) for gradient in found)


def _differentiate(setup: Setup, component: str, scalar: Tensor) -> Sequence[Tensor | None]:
    with blaming(f"differentiating {component}"):
        return torch.autograd.grad(scalar, list(trainable(setup.model).values()), allow_unused=True)


def _is_something(value: Any) -> bool:
    return isinstance(value, Tensor) and bool((value != 0).any())


def _is_met(node: Node, slopes: Sequence[Tensor]) -> bool:
    """Return whether everything lies on the flat side that descending leads to: there is nothing left to lower.

    A hinge max(0, 1 − x) is at its least where it is flat, −relu(x) at its greatest. `slopes` are those of the total
    with respect to the result of the operation.
    """
    name = forward_name(node)
    if name == "clamp":
        return all(bool((_side(node) * slope <= 0).all()) for slope in slopes)
    if name in _FLAT_BELOW:
        return all(bool((slope >= 0).all()) for slope in slopes)
    return name in _FLAT_ABOVE and all(bool((slope <= 0).all()) for slope in slopes)


def _side(node: Any) -> Tensor:
    """Return −1 where what a clamp was given lies below its range, 1 above."""
    given, low = node._saved_self, node._saved_min
    return torch.where(given < low, -1, 1) if low is not None else torch.ones_like(given)
