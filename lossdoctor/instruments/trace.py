"""Following a loss while it runs: which torch functions were called, on what, and what became of their results."""

from __future__ import annotations

import math
import sys
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import CodeType, FrameType
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.autograd.graph import Node
from torch.overrides import TorchFunctionMode
from torch.utils.hooks import RemovableHandle

from ..records import Location
from ..setup.user_code import calling_line
from .autograd_graph import leaves
from .box_overlaps import box_overlap_of, extreme_of
from .comparisons import (
    ACTIVATIONS,
    ADDITIONS,
    AFFINE,
    ESCAPES,
    JOINING,
    LOSSES,
    PICKING,
    PROBABILITIES,
    REDUCTIONS,
    RESHAPING,
    SUBTRACTIONS,
    WEIGHTING,
    arguments_of,
    distance_of,
    factor_of,
    name_of,
    operands_of,
)
from .conversions import conversion_of
from .loss_networks import loss_network
from .overlaps import DIVISIONS, overlap_of, product_of
from .seen_operand import SeenOperand, can_be_seen, see, shape_of
from .ssim_constants import Addition, addition_of, ssim_means

if TYPE_CHECKING:
    from .slopes import SeenSlope

#: How far back an operand's origin is followed, in operations.
ORIGIN_DEPTH = 12

#: The names of the operations by which images enter a pretrained network of the loss, or a conversion of colours. What
#: enters there is worth knowing of data as well.
LOSS_NETWORK, CONVERSION = "loss network", "color conversion"

#: The name of the operation by which elements of a comparison are multiplied by data of another shape.
WEIGHTED_LOSSES = "weighted losses"

#: Frames between the user's code and the trace.
_PLUMBING = (str(Path(torch.__file__).parent), str(Path(__file__).parent))


@dataclass(frozen=True)
class Difference:
    """A difference that becomes a comparison once something takes its square or magnitude."""

    operands: tuple[Tensor, Tensor]
    whole: bool = True  #: every element counts alike: neither masked, weighted nor picked from
    factor: float = 1.0  #: the largest that it was multiplied by


@dataclass(frozen=True)
class Elements:
    """The elements of a comparison on their way to one number."""

    comparison: Event
    reduction: str | None = None  #: what has been taken over some of the dimensions
    weighted: bool = False  #: they were multiplied by a mask or by weights


@dataclass
class Event:
    """One call of a torch function. Events know the events that made their inputs."""

    name: str
    caller: str  #: the function whose source called it
    inputs: tuple[Event, ...]
    in_model: bool
    carries_gradient: bool  #: something with gradient is among what it was computed from
    counts_alike: bool  #: every element of its input is in its result, all with the same factor
    mixes: bool  #: it puts the results of different operations side by side
    grad_fn: Node | None = None
    result_shape: tuple[int, ...] = ()
    severed: tuple[Tensor, ...] = ()  #: inputs with gradient, where nothing with gradient came out
    no_grad: bool = False  #: there would have been a gradient, had it not been switched off
    escaped: Tensor | None = None  #: what it handed to Python or NumPy
    comparison: str | None = None
    result: Tensor | None = None  #: of a comparison, with its graph
    operands: Mapping[str, SeenOperand] = field(default_factory=dict)
    sides: tuple[Tensor, ...] = ()  #: the operands, where all of them carry gradient
    targets: tuple[Event, ...] = ()  #: what made the operands that carry no gradient
    trained_outside: int = 0  #: see `Operation`
    slopes: dict[str, SeenSlope] = field(default_factory=dict)  #: of the components that it ended up in
    arguments: Mapping[str, Any] = field(default_factory=dict)
    per_element: bool = False  #: a comparison that gave a number for every element,
    reductions: set[str] = field(default_factory=set)  #: and what has become of them
    sum_of: tuple[str, ...] = ()  #: components that are nothing but the sum of its elements
    difference: Difference | None = None
    product: tuple[Tensor, Tensor] | None = None  #: of a prediction and data, outside the model
    extreme: tuple[Tensor, Tensor] | None = None  #: likewise, of which the less or the greater was taken
    addition: Addition | None = None  #: of a constant, outside the model
    converted: bool = False  #: it is a part of a conversion of colours, or comes after one
    elements: Elements | None = None
    finite: bool = True  #: known only to a trace that looks at every number
    made_non_finite: bool = False
    location: Location | None = None

    @property
    def by_hand(self) -> bool:
        """Whether it is a comparison that is written out, not one of torch's losses."""
        return self.comparison is not None and self.comparison != self.name

    def release(self) -> None:
        """Let go of the graph, whose saved tensors would otherwise live as long as the event."""
        self.inputs, self.severed, self.sides, self.targets = (), (), (), ()
        self.grad_fn = self.escaped = self.result = self.elements = None
        self.difference = self.product = self.extreme = self.addition = None


class LossTrace(TorchFunctionMode):
    """Records the torch functions called while it is active, and which tensor came out of which call.

    It does not matter whether the loss is a module, a function, a closure or a library's. Not seen is what goes on
    inside torch's own functions, scripted modules and NumPy.
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model
        self.events: list[Event] = []
        self._makers: dict[int, tuple[weakref.ref[Tensor], Event]] = {}
        self._entered: dict[int, weakref.ref[Tensor]] = {}
        self._depth_in_model = 0
        self._called_without_grad: Location | None = None
        self._hooks: list[RemovableHandle] = []

    def __enter__(self) -> LossTrace:
        for module in self.model.modules():
            if _is_watched(module):
                self._hooks.append(module.register_forward_pre_hook(self._enter_module))
                self._hooks.append(module.register_forward_hook(self._leave_module, always_call=True))
        super().__enter__()  # type: ignore[no-untyped-call]
        return self

    def __exit__(self, *exception: Any) -> None:
        super().__exit__(*exception)  # type: ignore[no-untyped-call]
        for hook in self._hooks:
            hook.remove()
        self._hooks.clear()
        for event, means in ssim_means(self.events):
            self._compare(event, "ssim", {"input": means.tensor}, {"data_range": means.data_range})

    def _enter_module(self, _module: nn.Module, _args: Any) -> None:
        if self._depth_in_model == 0:
            self._called_without_grad = None if torch.is_grad_enabled() else calling_line()
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
        outputs = [args[0]] if func is Tensor.__setitem__ else list(_tensors((result,)))
        if outputs or name_of(func) in ESCAPES:
            self._record(func, args, kwargs, list(_tensors((*args, *kwargs.values()))), outputs)
        return result

    def _record(
        self,
        func: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
        inputs: Sequence[Tensor],
        outputs: Sequence[Tensor],
    ) -> None:
        event = self._event(name_of(func), inputs)
        self.events.append(event)
        if outputs:
            event.grad_fn, event.result_shape = outputs[0].grad_fn, shape_of(outputs[0])
            if not any(tensor.requires_grad for tensor in outputs):
                event.severed = tuple(tensor for tensor in inputs if tensor.requires_grad)
            self._recognize(event, func, args, kwargs, inputs)
            if event.comparison and outputs[0].requires_grad:
                event.result = outputs[0]
        elif event.carries_gradient:
            event.escaped = inputs[0]
        event.location = self._locate(event)
        indices = self._indices(event, inputs, outputs)
        for tensor in outputs:
            maker = event if indices is None or tensor.requires_grad else indices
            self._makers[id(tensor)] = (weakref.ref(tensor), maker)

    def _indices(self, event: Event, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Event | None:
        """Return an event of its own for those outputs of a call that carry no gradient, beside others that do.

        max, sort and topk give values and indices; only the indices end the gradient.
        """
        if len({tensor.requires_grad for tensor in outputs}) < 2:
            return None
        indices = self._event(event.name, inputs)
        indices.severed = tuple(tensor for tensor in inputs if tensor.requires_grad)
        indices.result_shape, indices.location = event.result_shape, self._locate(indices)
        self.events.insert(-1, indices)
        return indices

    def _event(self, name: str, inputs: Sequence[Tensor]) -> Event:
        makers = tuple(maker for tensor in inputs if (maker := self.maker(tensor)) is not None)
        attached = any(tensor.requires_grad for tensor in inputs)
        carries_gradient = attached or any(maker.carries_gradient for maker in makers)
        return Event(
            name=name,
            caller=_calling_function(),
            inputs=makers,
            in_model=self._depth_in_model > 0,
            carries_gradient=carries_gradient,
            counts_alike=name in RESHAPING or (name in AFFINE and sum(tensor.numel() > 1 for tensor in inputs) < 2),
            mixes=name in JOINING and (len(makers) < len(inputs) or len({_source(m).name for m in makers}) > 1),
            no_grad=carries_gradient and not torch.is_grad_enabled(),
        )

    def _locate(self, event: Event) -> Location | None:
        """Return the user's line of an event worth showing; for a model called under no_grad, the line of that call."""
        if event.no_grad and event.in_model and self._called_without_grad:
            return self._called_without_grad
        worth_showing = (
            event.comparison or event.addition or event.severed or event.no_grad or event.escaped is not None
        )
        return calling_line() if worth_showing else None

    def _recognize(
        self,
        event: Event,
        func: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
        inputs: Sequence[Tensor],
    ) -> None:
        """Note a comparison, a difference that may become one, or what becomes of an earlier one."""
        differences = [maker.difference for maker in event.inputs if maker.difference]
        if func in LOSSES:
            operands = operands_of(func, args, kwargs)
            self._compare(event, event.name, operands, arguments_of(func, args, kwargs))
        elif len(inputs) == 2 and (func in SUBTRACTIONS or (func in ADDITIONS and _is_widened(event, inputs))):
            event.difference = Difference((inputs[0], inputs[1]))
        elif differences:
            squared = len(inputs) == 2 and _same(inputs, differences)
            self._go_on(event, differences[0], distance_of(func, args, kwargs, of_itself=squared), args)
        if not event.in_model:
            self._recognize_by_hand(event, args, inputs)
            self._recognize_entrance(event, args, kwargs)
        for maker in event.inputs:
            if maker.elements:
                _reduce(maker.elements, event)

    def _recognize_by_hand(self, event: Event, args: tuple[Any, ...], inputs: Sequence[Tensor]) -> None:
        """Note an activation of what are probabilities already, an overlap with data, and weights in another shape."""
        if event.name in ACTIVATIONS and event.inputs and _source(event.inputs[0]).name in PROBABILITIES:
            self._compare(event, event.name, {"input": inputs[0]}, {})
        event.addition = addition_of(event.name, args)
        event.product = product_of(event.name, list(inputs))
        event.extreme = extreme_of(event.name, list(inputs))
        if overlap := overlap_of(event, self.maker):
            self._compare(event, "overlap", dict(zip(("input", "target"), overlap, strict=True)), {})
        elif boxes := box_overlap_of(event):
            self._compare(event, "overlap of boxes", dict(zip(("input", "target"), boxes, strict=True)), {})
        elif _weighs_widened(event, inputs):
            losses, weights = sorted(inputs, key=lambda tensor: not tensor.requires_grad)
            self._compare(event, WEIGHTED_LOSSES, {"input": losses, "weight": weights}, {})

    def _recognize_entrance(self, event: Event, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        """Note images that enter a pretrained network of the loss, or a conversion of colours for the first time."""
        event.converted = any(maker.converted for maker in event.inputs)
        image = args[0] if args and isinstance(args[0], Tensor) else None
        shape = shape_of(image) if image is not None else ()
        if image is None or len(shape) < 3 or 3 not in shape or math.prod(shape) <= 9:  # a white point, a matrix
            return
        stride = kwargs.get("stride", args[3] if len(args) > 3 else 1)
        if network := loss_network(event.name, args, stride, _callers()):
            self._compare(event, LOSS_NETWORK, {"input": image}, {"network": network})
        elif not event.converted and (conversion := conversion_of(_callers())):
            event.converted = True
            if (known := self._entered.get(id(image))) is None or known() is not image:
                self._entered[id(image)] = weakref.ref(image)
                self._compare(event, CONVERSION, {"input": image}, {"function": conversion})

    def _go_on(self, event: Event, difference: Difference, distance: str | None, args: tuple[Any, ...]) -> None:
        """Turn a difference into a comparison, or carry it on where it is only rearranged or scaled."""
        if distance:
            factor = {} if difference.factor == 1 else {"factor": difference.factor}
            self._compare(event, distance, dict(zip(("input", "other"), difference.operands, strict=True)), factor)
            if not difference.whole:
                event.reductions.add("none")
        elif event.counts_alike or event.name in PICKING or event.name in AFFINE:
            event.difference = replace(
                difference,
                whole=difference.whole and event.counts_alike,
                factor=difference.factor * factor_of(event.name, args),
            )

    def _compare(self, event: Event, kind: str, operands: Mapping[str, Tensor], arguments: Mapping[str, Any]) -> None:
        event.comparison, event.arguments = kind, arguments
        event.operands = {
            name: see(tensor, self._origin(tensor)) for name, tensor in operands.items() if can_be_seen(tensor)
        }
        compared = tuple(operands.values())[:2]
        event.sides = compared if all(tensor.requires_grad for tensor in compared) else ()
        constant = (self.maker(tensor) for tensor in operands.values() if not tensor.requires_grad)
        event.targets = tuple(maker for maker in constant if maker is not None)
        if arguments.get("reduction", "none") == "none" and math.prod(event.result_shape) > 1:
            event.per_element, event.elements = True, Elements(event)

    def _origin(self, tensor: Tensor) -> tuple[str, ...]:
        """Return what made a tensor, nearest first: operations by name, the functions that called them with "()"."""
        names: list[str] = []
        event, depth = self.maker(tensor), 0
        while event is not None and depth < ORIGIN_DEPTH:
            if not _is_looked_through(event):
                names.append(event.name)
            names.append(f"{event.caller}()")
            event, depth = (event.inputs[0] if event.inputs else None), depth + 1
        return tuple(dict.fromkeys(names))

    def maker(self, tensor: Tensor) -> Event | None:
        """Return the call that a tensor came out of."""
        reference, event = self._makers.get(id(tensor), (None, None))
        return event if reference is not None and reference() is tensor else None

    def contributors(self, scalar: Tensor) -> set[int]:
        """Return the ids of the events that a tensor was computed through."""
        return {id(event) for event in before(self.maker(scalar))}

    def cuts(self, scalar: Tensor) -> set[int]:
        """Return the ids of the events that keep the gradient of a component from what it was computed from.

        They are the last ones on the way that hide a leaf which the component does not reach otherwise: detaching the
        target's side of a comparison hides nothing. A component without any history came back from Python or NumPy.
        """
        reached = leaves(scalar)

        def hides(event: Event) -> bool:
            return any(leaves(tensor) - reached for tensor in event.severed)

        history = list(before(self.maker(scalar), unless=hides))
        cuts = {id(event) for event in history if hides(event)}
        if cuts or scalar.grad_fn is not None:
            return cuts
        escape = self._escape(scalar, history)
        return {id(escape)} if escape else set()

    def _escape(self, scalar: Tensor, history: Sequence[Event]) -> Event | None:
        """Return the call that took the numbers of a component out of torch, as far as that can be told.

        It is the one that gave this very number, or else the last one before the component's history begins. A bare
        number has no history: then there has to be a single line.
        """
        known = {id(event) for event in history}
        # What was computed before anything had a gradient, such as the copy of the batch, is no way back in.
        begun = next((index for index, event in enumerate(self.events) if event.carries_gradient), 0)
        entries = (
            index
            for index, event in enumerate(self.events)
            if index > begun and id(event) in known and not event.inputs
        )
        start = next(entries, len(self.events))
        escapes = [event for event in self.events[:start] if event.escaped is not None]
        if same := [event for event in escapes if _holds(event.escaped, scalar)]:
            return same[-1]
        if len(history) <= 1 and len({event.location for event in escapes}) > 1:
            return None
        return escapes[-1] if escapes else None

    def made_in_model(self, scalar: Tensor) -> bool:
        """Return whether a component, or a part of it, came out of the model's own forward as one number."""
        scalars = before(self.maker(scalar), unless=lambda event: event.in_model or math.prod(event.result_shape) > 1)
        return any(event.in_model and math.prod(event.result_shape) == 1 for event in scalars)

    def summed(self, scalar: Tensor) -> Event | None:
        """Return the comparison that a component is nothing but the sum of; None where something scales it."""
        event = self.maker(scalar)
        while event is not None and event.name in RESHAPING and event.inputs:
            event = event.inputs[0]
        if event is None or event.arguments.get("reduction") == "sum":
            return event
        elements = event.inputs[0].elements if event.name == "sum" and event.inputs else None
        return elements.comparison if elements and elements.reduction in (None, "sum") else None

    def release(self) -> None:
        """Let go of the graph, whose saved tensors would otherwise live as long as any event of this trace."""
        for event in self.events:
            event.release()


def before(start: Event | None, unless: Callable[[Event], bool] | None = None) -> Iterator[Event]:
    """Yield an event and all that lie before it, each once; not beyond those for which `unless` is true."""
    pending = [start] if start else []
    seen = set(map(id, pending))
    while pending:
        event = pending.pop()
        yield event
        if unless is None or not unless(event):
            new = {id(other): other for other in event.inputs if id(other) not in seen}
            seen |= new.keys()
            pending += new.values()


def _is_watched(module: nn.Module) -> bool:
    """Whether what happens inside a module is the model's. A criterion that is kept in the model trains nothing.

    Nothing can be hooked into a scripted module, nor does its inside show.
    """
    scripted = isinstance(module, torch.jit.ScriptModule)
    return not scripted and any(parameter.requires_grad for parameter in module.parameters())


def _is_looked_through(event: Event) -> bool:
    """Whether an operation gives, value by value, what a single other one gave it."""
    return (event.name in RESHAPING or event.name in PICKING) and not event.mixes


def _is_widened(event: Event, inputs: Sequence[Tensor]) -> bool:
    """Whether the result has more elements than any of the inputs, which differ in their number of dimensions."""
    first, second = map(shape_of, inputs)
    return len(first) != len(second) and math.prod(event.result_shape) > max(math.prod(first), math.prod(second))


def _weighs_widened(event: Event, inputs: Sequence[Tensor]) -> bool:
    """Whether the elements of a comparison, with gradient, are multiplied by data and become more than both."""
    if len(inputs) != 2 or event.name not in WEIGHTING | DIVISIONS or not _is_widened(event, inputs):
        return False
    mixed = inputs[0].requires_grad != inputs[1].requires_grad
    return mixed and any(maker.elements is not None for maker in event.inputs)


def _source(event: Event) -> Event:
    """Return the operation that values come from, behind whatever has only rearranged them."""
    while _is_looked_through(event) and event.inputs:
        event = event.inputs[0]
    return event


def _reduce(elements: Elements, event: Event) -> None:
    """Follow the elements of a comparison through the next operation."""
    if event.name in REDUCTIONS:
        reduction = elements.reduction or event.name
        if math.prod(event.result_shape) > 1:
            event.elements = replace(elements, reduction=reduction)
        else:
            elements.comparison.reductions.add("weighted" if elements.weighted else reduction)
    elif event.counts_alike:
        event.elements = elements
    elif event.name in WEIGHTING and event.result_shape == elements.comparison.result_shape:
        event.elements = replace(elements, weighted=True)
    elif not event.severed:  # what is only looked at does not count
        elements.comparison.reductions.add("none")


def _same(inputs: Sequence[Tensor], differences: Sequence[Difference]) -> bool:
    """Whether the two factors of a product are one difference, or were taken of the same tensors."""
    if inputs[0] is inputs[1]:
        return True
    if len(differences) < 2 or not all(difference.whole for difference in differences):
        return False
    (a, b), (c, d) = (difference.operands for difference in differences)
    return a is c and b is d


def _holds(escaped: Tensor | None, scalar: Tensor) -> bool:
    """Whether a tensor is one number, and the same as the scalar."""
    return escaped is not None and escaped.numel() == 1 and math.isclose(escaped.item(), scalar.item(), rel_tol=1e-6)


def _tensors(values: Iterable[Any]) -> Iterator[Tensor]:
    for value in values:
        if isinstance(value, Tensor):
            yield value
        elif isinstance(value, (tuple, list)):
            yield from _tensors(value)


def _calling_function() -> str:
    """Return the name of the function that called torch; for the forward of a module, the name of its class."""
    return next(_callers(), "")


def _callers() -> Iterator[str]:
    """Yield the names of the functions on the stack, innermost first; for the forward of a module, its class."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        if not _says_nothing(frame.f_code):
            name = frame.f_code.co_name
            yield type(frame.f_locals.get("self")).__name__ if name == "forward" else name
        frame = frame.f_back


def _says_nothing(code: CodeType) -> bool:
    """Whether a function is between the user's code and the trace, or is a lambda or a comprehension inside another."""
    return code.co_name.startswith("<") or code.co_filename.startswith(_PLUMBING)
