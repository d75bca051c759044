"""Which operation first made a value or a gradient NaN or infinite.

Costs a forward, and a backward per affected component, only for the first batch in which something is not finite.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd.graph import Node
from torch.utils.hooks import RemovableHandle

from ..facts.anomalies import Anomaly
from ..facts.gradients import ObjectiveGradients
from ..records import Location
from ..setup.build import Setup
from ..setup.loss import Losses
from ..setup.user_code import blaming, calling_line
from .autograd_graph import ancestors, forward_line, forward_name, leaf_tensors
from .trace import Event, LossTrace, before


class FiniteTrace(LossTrace):
    """A trace that also notes which calls turned finite inputs into something that is not."""

    def _record(
        self,
        func: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
        inputs: Sequence[Tensor],
        outputs: Sequence[Tensor],
    ) -> None:
        super()._record(func, args, kwargs, inputs, outputs)
        event = self.events[-1]
        event.finite = all(map(_is_finite, outputs))
        event.made_non_finite = all(map(_is_finite, inputs)) and not event.finite
        if event.made_non_finite:
            event.location = calling_line()


def find_anomalies(setup: Setup, objectives: Sequence[ObjectiveGradients]) -> tuple[Anomaly, ...]:
    """Return an anomaly for every component whose value, or else whose gradient, is not finite."""
    return tuple(anomaly for objective in objectives for anomaly in _anomalies_of(setup, objective))


def _anomalies_of(setup: Setup, objective: ObjectiveGradients) -> Iterator[Anomaly]:
    for k, name in enumerate(objective.components):
        values = [batch[k] for batch in objective.values]
        # A value that is not finite in any batch comes first: the gradient's is often its shadow, batches earlier.
        bad_value = next((i for i, value in enumerate(values) if value is not None and not math.isfinite(value)), None)
        bad_gradient = next((i for i in range(len(values)) if not _has_finite_gradient(objective, i, k)), None)
        if bad_value is not None:
            yield trace_anomaly(setup, objective.name, name, "value", bad_value)
        elif bad_gradient is not None:
            yield trace_anomaly(setup, objective.name, name, "gradient", bad_gradient)


def trace_anomaly(setup: Setup, objective: str, component: str, where: str, batch: int) -> Anomaly:
    """Return which operation made a component's value or gradient, as `where` says, not finite on a batch.

    Raises LossDoctorError where the loss cannot be traced.
    """
    if where == "gradient":
        operation, location = _first_bad_backward(setup, objective, component, batch)
    else:
        event = _first_bad_event(setup, objective, component, batch)
        operation, location = (event.name, event.location) if event else (None, None)
    return Anomaly(objective, component, where, batch, operation, location)


def _has_finite_gradient(objective: ObjectiveGradients, batch: int, k: int) -> bool:
    return all(math.isfinite(block.gramians[batch][k][k]) for block in objective.blocks)


def _first_bad_event(setup: Setup, objective: str, component: str, batch: int) -> Event | None:
    with FiniteTrace(setup.model) as trace:
        scalar = _component(setup.evaluate(batch), objective, component)
    # An infinity on purpose, such as a mask's before a softmax, ends where its result is finite.
    history = before(trace.maker(scalar) if scalar is not None else None, unless=lambda event: event.finite)
    suspects = {id(event) for event in history}
    return next((event for event in trace.events if event.made_non_finite and id(event) in suspects), None)


def _component(losses: Losses, objective: str, component: str) -> Tensor | None:
    """Return a component's scalar, None where code that counts its calls has left it out this time."""
    return losses.objectives.get(objective, {}).get(component)


def _first_bad_backward(setup: Setup, objective: str, component: str, batch: int) -> tuple[str | None, Location | None]:
    """Return the first backward node that turned a finite gradient into something else, and the line of its forward."""
    with torch.autograd.set_detect_anomaly(True, check_nan=False):
        scalar = _component(setup.evaluate(batch), objective, component)
    if scalar is None or not scalar.requires_grad:
        return None, None
    culprits: list[Node] = []

    def watch(node: Node) -> RemovableHandle:
        def hook(grad_inputs: tuple[Any, ...], grad_outputs: tuple[Any, ...]) -> None:
            if not culprits and all(map(_is_finite, grad_outputs)) and not all(map(_is_finite, grad_inputs)):
                culprits.append(node)

        return node.register_hook(hook)

    handles = [watch(node) for node in ancestors([scalar])]
    with blaming(f"differentiating {component}"):
        torch.autograd.grad(scalar, list(leaf_tensors(scalar)), allow_unused=True)
    for handle in handles:  # a parameter's node outlives the graph where somebody holds on to it
        handle.remove()
    if not culprits:
        return None, None
    return forward_name(culprits[0]), forward_line(culprits[0])


def _is_finite(value: Any) -> bool:
    if not isinstance(value, Tensor):
        return True
    entries = value.coalesce().values() if value.is_sparse else value
    return bool(entries.isfinite().all())
