"""What really enters the operations of a loss: ranges, shapes, which side carries gradient, where it came from.

Costs one forward per batch, shared with the other observers. Everything is seen through a `TorchFunctionMode`, so it does
not matter whether the loss is a module, a function, a closure or a library's.
"""

from __future__ import annotations

import sys
import weakref
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.graph import Node
from torch.overrides import TorchFunctionMode

from ..records import Location, Operand, Operation, Statistics
from ..setup.loss import Losses
from ..setup.user_code import calling_line
from . import statistics
from .autograd_graph import ancestors
from .comparisons import LOSSES, MAGNITUDES, REARRANGING, SQUARES, SUBTRACTIONS, arguments_of, operands_of

#: How far back an operand's origin is followed, in operations.
ORIGIN_DEPTH = 12


@dataclass
class SeenOperand:
    """A tensor that entered a comparison: its distribution is still on the device."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    requires_grad: bool
    overall: Tensor  # (1, 5) moments
    channels: Tensor | None  # (C, 5) moments
    row_sums: Tensor | None  # (2,) least and greatest sum over dimension 1
    integral: Tensor  # ()
    origin: tuple[str, ...]


@dataclass
class Event:
    """One call of a torch function. Events know the events that made their inputs."""

    name: str
    caller: str  # the function whose source called it
    inputs: tuple[Event, ...]
    in_model: bool
    grad_fn: Node | None = None
    comparison: str | None = None
    operands: list[SeenOperand] = field(default_factory=list)
    arguments: Mapping[str, Any] = field(default_factory=dict)
    result_shape: tuple[int, ...] = ()
    cuts_gradient: bool = False
    made_non_finite: bool = False
    location: Location | None = None


class LossTrace(TorchFunctionMode):
    """Records the torch functions called while it is active, and which tensor came out of which call."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model
        self.events: list[Event] = []
        self._makers: dict[int, tuple[weakref.ref[Tensor], Event]] = {}
        self._depth_in_model = 0
        self._hooks: list[Any] = []

    def __enter__(self) -> LossTrace:
        for module in self.model.modules():
            self._hooks.append(module.register_forward_pre_hook(self._enter_module))
            self._hooks.append(module.register_forward_hook(self._leave_module, always_call=True))
        super().__enter__()
        return self

    def __exit__(self, *exception: Any) -> None:
        super().__exit__(*exception)
        for hook in self._hooks:
            hook.remove()
        self._hooks.clear()

    def _enter_module(self, _module: nn.Module, _args: Any) -> None:
        self._depth_in_model += 1

    def _leave_module(self, _module: nn.Module, _args: Any, _output: Any) -> None:
        self._depth_in_model -= 1

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        result = func(*args, **kwargs)
        if func in _ATTRIBUTES or getattr(func, "__name__", "") == "__get__":
            return result
        outputs = [value for value in _flat((result,)) if isinstance(value, Tensor)]
        if outputs:
            inputs = [value for value in _flat((*args, *kwargs.values())) if isinstance(value, Tensor)]
            self._record(func, args, kwargs, inputs, outputs)
        return result

    def _record(
        self,
        func: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
        inputs: Sequence[Tensor],
        outputs: Sequence[Tensor],
    ) -> None:
        makers = tuple(maker for tensor in inputs if (maker := self.maker(tensor)) is not None)
        event = Event(
            name=getattr(func, "__name__", str(func)),
            caller=sys._getframe(2).f_code.co_name,
            inputs=makers,
            in_model=self._depth_in_model > 0,
            grad_fn=outputs[0].grad_fn,
            result_shape=tuple(outputs[0].shape),
        )
        event.cuts_gradient = (
            torch.is_grad_enabled()
            and any(tensor.requires_grad for tensor in inputs)
            and not any(tensor.requires_grad for tensor in outputs)
        ) or (not torch.is_grad_enabled() and any(tensor.requires_grad for tensor in inputs))
        self._recognize(event, func, args, kwargs, inputs)
        if event.comparison or event.cuts_gradient:
            event.location = calling_line()
        self.events.append(event)
        for tensor in outputs:
            self._makers[id(tensor)] = (weakref.ref(tensor), event)

    def _recognize(
        self,
        event: Event,
        func: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
        inputs: Sequence[Tensor],
    ) -> None:
        """Note the operands of a comparison: a functional loss anywhere, or a difference outside the model."""
        if func in LOSSES:
            event.comparison, event.arguments = func.__name__, arguments_of(func, args, kwargs)
            event.operands = [self._see(name, tensor) for name, tensor in operands_of(func, args, kwargs).items()]
        elif event.in_model:
            return
        elif func in SUBTRACTIONS and len(inputs) == 2 and inputs[0].is_floating_point():
            # A difference becomes a comparison once something takes its square or magnitude.
            event.operands = [self._see(name, tensor) for name, tensor in zip(("input", "other"), inputs, strict=True)]
        elif event.inputs and (kind := _kind_of_distance(func, args, inputs)):
            difference = event.inputs[0]
            if difference.operands and difference.comparison is None:
                event.comparison, event.operands = kind, difference.operands

    def maker(self, tensor: Tensor) -> Event | None:
        """Return the call that a tensor came out of."""
        reference, event = self._makers.get(id(tensor), (None, None))
        return event if reference is not None and reference() is tensor else None

    def contributors(self, scalar: Tensor) -> set[int]:
        """Return the ids of the events that a tensor was computed through."""
        start = self.maker(scalar)
        pending, seen = [start] if start else [], {id(start)} if start else set()
        while pending:
            for event in pending.pop().inputs:
                if id(event) not in seen:
                    seen.add(id(event))
                    pending.append(event)
        return seen

    def release(self) -> None:
        """Let go of the graph, whose saved tensors would otherwise live as long as any event of this trace."""
        for event in self.events:
            event.inputs, event.grad_fn = (), None

    def _see(self, name: str, tensor: Tensor) -> SeenOperand:
        sample = statistics.thinned(tensor.detach())
        has_channels = statistics.has_channels(tensor)
        sums = sample.float().sum(1) if has_channels and tensor.is_floating_point() else None
        return SeenOperand(
            name=name,
            shape=tuple(tensor.shape),
            dtype=str(tensor.dtype).removeprefix("torch."),
            requires_grad=tensor.requires_grad,
            overall=statistics.moments(tensor),
            channels=statistics.moments(tensor, by_channel=True) if has_channels else None,
            row_sums=torch.stack(sums.aminmax()) if sums is not None and sums.numel() else None,
            integral=(sample == sample.round()).all() if sample.is_floating_point() else torch.tensor(True),
            origin=self._origin(tensor),
        )

    def _origin(self, tensor: Tensor) -> tuple[str, ...]:
        """Return what made a tensor, nearest first: operations by name, the functions that called them with "()"."""
        names: list[str] = []
        event, depth = self.maker(tensor), 0
        while event is not None and depth < ORIGIN_DEPTH:
            if event.name not in REARRANGING:
                names.append(event.name)
            if event.location is None and f"{event.caller}()" not in names:
                names.append(f"{event.caller}()")
            event, depth = (event.inputs[0] if event.inputs else None), depth + 1
        return tuple(dict.fromkeys(names))


class OperandObserver:
    """Collects the comparisons of every batch and joins them."""

    def __init__(self) -> None:
        self._seen: dict[tuple[Any, ...], list[Event]] = {}

    def observe(self, trace: LossTrace, losses: Losses) -> None:
        """Take the comparisons of one traced batch, with the components that they ended up in."""
        components = {
            f"{objective}.{name}": (trace.contributors(scalar), ancestors([scalar]))
            for objective, group in losses.objectives.items()
            for name, scalar in group.items()
        }
        counts: dict[tuple[Any, ...], int] = {}
        for event in trace.events:
            if not (event.comparison or event.cuts_gradient):
                continue
            users = tuple(
                name for name, (events, nodes) in components.items() if id(event) in events or event.grad_fn in nodes
            )
            if not users:
                continue
            identity = (event.comparison, event.name, event.location, users, event.cuts_gradient)
            counts[identity] = counts.get(identity, 0) + 1
            self._seen.setdefault((*identity, counts[identity]), []).append(event)
        trace.release()

    def facts(self) -> tuple[Operation, ...]:
        """Return the operations seen, each joined over the batches."""
        return tuple(
            Operation(
                name=events[0].comparison or events[0].name,
                components=identity[3],
                operands=tuple(
                    _joined([event.operands[i] for event in events]) for i in range(len(events[0].operands))
                ),
                arguments=events[0].arguments,
                result_shape=events[0].result_shape,
                cuts_gradient=events[0].cuts_gradient,
                location=events[0].location,
            )
            for identity, events in self._seen.items()
        )


def _joined(operands: Sequence[SeenOperand]) -> Operand:
    first = operands[0]
    same = [operand for operand in operands if len(operand.shape) == len(first.shape)]
    channels: tuple[Statistics, ...] = ()
    tables = [operand.channels.tolist() for operand in same if operand.channels is not None]
    if tables and all(len(table) == len(tables[0]) for table in tables):
        channels = statistics.join(tables)
    sums = [operand.row_sums.tolist() for operand in operands if operand.row_sums is not None]
    return Operand(
        name=first.name,
        shape=first.shape,
        dtype=first.dtype,
        requires_grad=any(operand.requires_grad for operand in operands),
        overall=statistics.join([operand.overall.tolist() for operand in operands])[0],
        channels=channels,
        row_sum=(min(low for low, _ in sums), max(high for _, high in sums)) if sums else None,
        integral=all(bool(operand.integral) for operand in operands),
        origin=first.origin,
    )


def _kind_of_distance(func: Callable[..., Any], args: tuple[Any, ...], inputs: Sequence[Tensor]) -> str | None:
    """Return what an operation makes of a difference that goes into it."""
    if func in MAGNITUDES:
        return "absolute difference"
    if func not in SQUARES:
        return None
    times_itself = len(inputs) == 2 and inputs[0] is inputs[1]
    squared = len(args) > 1 and not isinstance(args[1], Tensor) and args[1] == 2
    return "squared difference" if times_itself or squared or len(inputs) == len(args) == 1 else None


def _flat(values: Iterable[Any]) -> Iterable[Any]:
    for value in values:
        if isinstance(value, (tuple, list)):
            yield from _flat(value)
        else:
            yield value


#: Reading an attribute of a tensor makes nothing.
_ATTRIBUTES = frozenset(
    {Tensor.size, Tensor.dim, Tensor.numel, Tensor.__len__, Tensor.is_floating_point, Tensor.requires_grad_}
)
