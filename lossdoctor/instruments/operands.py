"""What really enters the operations of a loss: ranges, shapes, which side carries gradient, where it came from.

Costs one forward per batch, shared with the other observers.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from torch import Tensor
from torch.autograd.graph import Node

from ..facts.operands import Operand, Operation, Slope
from ..records import Location
from ..setup.loss import Losses
from . import seen_operand, slopes
from .autograd_graph import ancestors, trained_outside
from .trace import CONVERSION, LOSS_NETWORK, Event, LossTrace


@dataclass(frozen=True)
class _Component:
    """How a component came about."""

    contributors: set[int]
    cuts: set[int]
    nodes: set[Node]
    made_in_model: bool

    def uses(self, event: Event) -> bool:
        """Whether it was computed through a comparison of something that the model had a part in, or an entrance.

        Differences inside the model are the model's own, unless it computes this component.
        """
        if event.comparison is None or not (event.carries_gradient or event.comparison in (LOSS_NETWORK, CONVERSION)):
            return False
        if event.in_model and event.by_hand and not self.made_in_model:
            return False
        return id(event) in self.contributors or event.grad_fn in self.nodes


@dataclass(frozen=True)
class _Role:
    """What an event is to some components; the same role in every batch is the same operation."""

    name: str
    components: tuple[str, ...]
    cuts_gradient: bool
    location: Location | None


class OperandObserver:
    """Collects the comparisons of every batch, and what cuts gradients, and joins them."""

    def __init__(self) -> None:
        self._seen: dict[tuple[_Role, int], list[Event]] = {}

    def observe(self, trace: LossTrace, losses: Losses) -> None:
        """Take the operations of one traced batch, with the components they ended up in, and release the trace."""
        scalars = {
            f"{objective}.{name}": scalar
            for objective, group in losses.objectives.items()
            for name, scalar in group.items()
        }
        components = {
            key: _Component(
                trace.contributors(scalar), trace.cuts(scalar), ancestors([scalar]), trace.made_in_model(scalar)
            )
            for key, scalar in scalars.items()
        }
        for key, scalar in scalars.items():
            self._take_slopes(key, scalar, components[key], trace)
            if (summed := trace.summed(scalar)) is not None:
                summed.sum_of += (key,)
        times = Counter[_Role]()
        own = set(map(id, trace.model.parameters()))
        for event in trace.events:
            roles = _roles(event, components)
            if roles and len(event.sides) == 2:
                event.trained_outside = max(map(partial(trained_outside, own=own), event.sides))
            for role in roles:
                times[role] += 1
                self._seen.setdefault((role, times[role]), []).append(event)
        trace.release()

    @staticmethod
    def _take_slopes(key: str, scalar: Tensor, component: _Component, trace: LossTrace) -> None:
        used = [event for event in trace.events if component.uses(event)]
        history = [event for event in trace.events if id(event) in component.contributors]
        seen = slopes.see_slopes(scalar, used, history)
        for event in used:
            if id(event) in seen:
                event.slopes[key] = seen[id(event)]

    def facts(self) -> tuple[Operation, ...]:
        """Return the operations seen, each joined over the batches."""
        return tuple(_joined(role, events) for (role, _), events in self._seen.items())


def _roles(event: Event, components: Mapping[str, _Component]) -> list[_Role]:
    users = tuple(name for name, component in components.items() if component.uses(event))
    cut = tuple(name for name, component in components.items() if id(event) in component.cuts)
    roles = [_Role(event.comparison or "", users, False, event.location)] if users else []
    if cut:
        name = "no_grad" if event.no_grad and event.escaped is None else event.name
        roles.append(_Role(name, cut, True, event.location))
    return roles


def _joined(role: _Role, events: Sequence[Event]) -> Operation:
    first = events[0]
    return Operation(
        name=role.name,
        components=role.components,
        operands=() if role.cuts_gradient else _joined_operands(events),
        arguments={} if role.cuts_gradient else _arguments(first),
        result_shape=first.result_shape,
        cuts_gradient=role.cuts_gradient,
        trained_outside=max(event.trained_outside for event in events),
        slopes={} if role.cuts_gradient else _joined_slopes(role, events),
        location=role.location,
        sum_of=() if role.cuts_gradient else first.sum_of,
    )


def _joined_slopes(role: _Role, events: Sequence[Event]) -> dict[str, Slope]:
    joined = {key: slopes.join(event.slopes[key] for event in events if key in event.slopes) for key in role.components}
    return {key: slope for key, slope in joined.items() if slope is not None}


def _joined_operands(events: Sequence[Event]) -> tuple[Operand, ...]:
    return tuple(
        seen_operand.join(name, [event.operands[name] for event in events if name in event.operands])
        for name in events[0].operands
    )


def _arguments(event: Event) -> Mapping[str, Any]:
    """Return the arguments of a comparison, and where it gave every element, what was taken of them all."""
    if not event.per_element:
        return event.arguments
    (reduction,) = event.reductions if len(event.reductions) == 1 else {"none"}
    return {**event.arguments, "reduction": reduction}
