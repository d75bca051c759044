"""LD502: a gradient that is exactly zero."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from .. import balance
from ..records import Finding, Location, Severity
from .base import Case, Rule, listing

if TYPE_CHECKING:
    from ..facts.anomalies import DeadEnd
    from ..facts.gradients import ObjectiveGradients
    from ..facts.operands import Operation
    from ..facts.outputs import Output
    from ..facts.statistics import Statistics


@dataclass(frozen=True)
class _Flat:
    """A component whose gradient vanishes, and what is known of why."""

    name: str
    index: int
    cause: str  #: "" where nothing shows
    reason: object  #: the same for components that are flat for the same reason
    excused: bool  #: by a layer that starts at zero, or because it is as low as it can be, or nothing is selected yet
    zero_layers: Sequence[str]
    dead_end: DeadEnd | None
    location: Location | None


class ZeroGradient(Rule):
    """A component is attached to the model, but its gradient is exactly zero in every batch.

    Usual causes: a clamp whose every element lies beyond the limit; a dead ReLU before the output; both operands the
    same tensor (prediction against prediction); a hinge on the wrong side (`-relu(D(G(z)))` while the discriminator
    wins); rounding. It is an error without a threshold: "exactly zero" means that no weight can move,
    whatever the learning rate.

    Not an error but a note: a component with the role `regularizer`; one that is as low as it can be, because what is
    flat is the end that descending leads to (a hinge max(0, 1 - x) that is met everywhere, a KL divergence below its
    free bits); one that the prediction itself has selected nothing for (pseudo-labels above a confidence, as in
    FixMatch: a surer model has a gradient, and other components can make it so); and a layer that starts at zero (a
    usual initialisation), which lets no gradient through until it has moved, or makes an output at which the loss is
    flat. Such a layer excuses nothing where the loss is flat at an output that varies: then the loss itself is at
    fault.

    Remedy: use the unclamped prediction in the loss, a leaky activation, or the right tensor.
    """

    code: ClassVar[str] = "LD502"
    name: ClassVar[str] = "zero-gradient"
    severity: ClassVar[Severity] = Severity.ERROR
    requires: ClassVar[tuple[str, ...]] = ("gradients",)
    explains: ClassVar[tuple[str, ...]] = ("LD102", "LD104", "LD701", "LD704", "LD705", "LD706")
    overshadows: ClassVar[tuple[str, ...]] = ("LD104",)

    def check(self, case: Case) -> Iterator[Finding]:
        """Yield a finding for every reason why the gradient of attached components vanishes exactly."""
        for gradients in case.gradients:
            found: dict[object, list[_Flat]] = {}
            for flat in (_flat(case, gradients, k) for k in _vanishing(gradients)):
                found.setdefault(flat.reason, []).append(flat)
            for group in found.values():
                yield self._report(case, gradients, group)

    def _report(self, case: Case, gradients: ObjectiveGradients, group: Sequence[_Flat]) -> Finding:
        first, batches = group[0], len(gradients.values)
        names = [flat.name for flat in group]
        values = {flat.name: [batch[flat.index] for batch in gradients.values] for flat in group}
        rests = first.excused or gradients.roles[first.index] == "regularizer"
        times = f"all {batches} batches" if batches > 1 else "the batch"
        message = f"the gradient of {listing(names)} is exactly zero in {times}"
        return self.finding(
            names,
            message + (f": {first.cause}" if first.cause else ""),
            objective=gradients.name,
            severity=Severity.NOTE if rests else Severity.ERROR,
            evidence={
                "values": values if len(group) > 1 else values[first.name],
                "grad_norm": 0.0,
                **({"zero_initialised": first.zero_layers} if first.zero_layers else {}),
                **({"ends_at": first.dead_end.operation} if first.dead_end else {}),
            },
            remedy="Nothing for now: a few training steps decide."
            if first.excused
            else "Compare the prediction before it is clamped or saturated, and check that the right tensors are "
            "compared.",
            location=first.location or case.locate_component(first.name),
        )


def _vanishing(gradients: ObjectiveGradients) -> Iterator[int]:
    """Yield the components that are attached, count, and have a gradient of exactly zero."""
    for k, component in enumerate(balance.summarize(gradients).components):
        reached = any(block.reached_by[k] for block in gradients.blocks)
        if reached and component.grad_norm == 0 and component.weight != 0:
            yield k


def _flat(case: Case, gradients: ObjectiveGradients, k: int) -> _Flat:
    name = gradients.components[k]
    operations = case.operations(gradients.name, name)
    zero_layers = _blocking_layers(case, gradients, k, operations)
    dead_end = _dead_end(case, gradients.name, name)
    excused = bool(zero_layers) or (dead_end is not None and (dead_end.met or dead_end.selects))
    cause = _starts_at_zero(zero_layers) or _cause(operations)
    place = dead_end.location if dead_end else None
    # Two losses of one constant output are flat for one reason, wherever their own gradient ends.
    shared = zero_layers or _constant_outputs(case) or (dead_end and place and (dead_end.operation, place))
    return _Flat(
        name,
        k,
        cause=cause or _ends(dead_end),
        reason=(repr(shared or name), excused, gradients.roles[k] == "regularizer"),
        excused=excused,
        zero_layers=zero_layers,
        dead_end=dead_end,
        location=place or next((operation.location for operation in operations if operation.location), None),
    )


def _constant_outputs(case: Case) -> list[str]:
    """Return the names of the model's outputs where all of them are constant."""
    outputs = (case.examination.outputs if case.examination else None) or ()
    return [output.name for output in outputs] if all(map(_is_constant, outputs)) else []


def _blocking_layers(case: Case, gradients: ObjectiveGradients, k: int, operations: Sequence[Operation]) -> list[str]:
    """Return the layers that start at zero, where they can be why the gradient vanishes.

    They cannot where the loss is flat at its output already (the gradient there is zero as well) although that output
    varies and is not what it is compared with: the gradient never got as far as a layer.
    """
    parameters = case.examination.parameters if case.examination else None
    # Only what multiplies lets nothing through: a position embedding at zero is added.
    layers = [name for name in (parameters.zero_initialised if parameters else ()) if name.endswith("weight")]
    at_output = [batch[k] for batch in gradients.output_grad_norms if batch[k] is not None]
    outputs = case.examination.outputs if case.examination else None
    flat = bool(at_output) and not any(at_output)
    could_be_why = not flat or not outputs or any(map(_is_constant, outputs)) or any(map(_compares_itself, operations))
    return layers if could_be_why else []


def _dead_end(case: Case, objective: str, component: str) -> DeadEnd | None:
    """Return where the examination saw a component's gradient end, None where it did not look or saw nothing."""
    for dead_end in (case.examination.dead_ends if case.examination else None) or ():
        if (dead_end.objective, dead_end.component) == (objective, component):
            return dead_end
    return None


def _starts_at_zero(layers: Sequence[str]) -> str:
    return f"{layers[0]} starts at zero, which lets no gradient through until it has moved" if layers else ""


def _ends(dead_end: DeadEnd | None) -> str:
    """Return what an operation does to a gradient that ends there."""
    if dead_end is None:
        return ""
    if dead_end.met:
        return f"{dead_end.operation} holds it at its least, so that there is nothing left to lower"
    if dead_end.selects:
        return f"{dead_end.operation} leaves out all of it, as long as the model is no surer of its predictions"
    return f"it ends at {dead_end.operation}, which is flat for everything that enters it"


def _cause(operations: Sequence[Operation]) -> str:
    """Return what in the operands makes the slope vanish, "" where nothing shows."""
    for operation in operations:
        if _compares_itself(operation):
            return f"{operation.name} compares a tensor with itself"
        for operand in operation.operands:
            if operand.requires_grad and operand.overall.minimum == operand.overall.maximum:
                return f"what enters {operation.name} is constant at {operand.overall.mean:.4g}"
            if operand.requires_grad and "clamp" in operand.origin:
                return f"what enters {operation.name} was clamped"
    return ""


def _compares_itself(operation: Operation) -> bool:
    first, second = (*operation.operands[:2], None, None)[:2]
    return (
        first is not None
        and second is not None
        and (first.overall, first.channels) == (second.overall, second.channels)
    )


def _is_constant(output: Output) -> bool:
    """Whether every channel of an output has one value everywhere, as behind a layer of zeros."""
    channels: Sequence[Statistics] = output.channels or (output.overall,)
    return all(channel.minimum == channel.maximum for channel in channels)
