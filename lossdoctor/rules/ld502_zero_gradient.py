"""LD502: a gradient that is exactly zero."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from .. import balance
from ..records import Finding, ObjectiveGradients, Operation, Severity
from .base import Case, Rule


@dataclass(frozen=True)
class ZeroGradient(Rule):
    """A component is attached to the model, but its gradient is exactly zero in every batch.

    Usual causes: a clamp whose every element lies beyond the limit; a dead ReLU before the output; both operands the same
    tensor (prediction against prediction); a hinge that is met everywhere (`-relu(D(G(z)))` while the discriminator wins);
    rounding. It is an error without a threshold: "exactly zero" means that no weight can move, whatever the learning rate.

    Not an error: a component with the role `regularizer`, and a model whose last layer starts at zero (a usual
    initialisation), which lets no gradient through until it has moved. Both are reported as notes.

    Remedy: use the unclamped prediction in the loss, a leaky activation, or the right tensor.
    """

    code: ClassVar[str] = "LD502"
    name: ClassVar[str] = "zero-gradient"
    severity: ClassVar[Severity] = Severity.ERROR
    requires: ClassVar[tuple[str, ...]] = ("gradients",)
    explains: ClassVar[tuple[str, ...]] = ("LD102", "LD104")

    def check(self, case: Case) -> Iterator[Finding]:
        """Yield a finding for every attached component whose gradient vanishes exactly."""
        for gradients in case.gradients:
            for component in balance.summarize(gradients).components:
                reached = any(
                    block.reached_by[gradients.components.index(component.name)] for block in gradients.blocks
                )
                if component.attached and reached and component.grad_norm == 0 and component.weight != 0:
                    yield self._judge(case, gradients, component.name)

    def _judge(self, case: Case, gradients: ObjectiveGradients, name: str) -> Finding:
        k = gradients.components.index(name)
        parameters = case.examination.parameters if case.examination else None
        zero_heads = parameters.zero_initialised if parameters else ()
        excused = bool(zero_heads) or gradients.roles[k] == "regularizer"
        operations = case.operations(gradients.name, name)
        cause = self._cause(operations)
        message = f"the gradient of {name} is exactly zero in all {len(gradients.values)} batches"
        if zero_heads:
            message += f": {zero_heads[0]} starts at zero, which lets no gradient through until it has moved"
        elif cause:
            message += f": {cause}"
        return self.finding(
            [name],
            message,
            objective=gradients.name,
            severity=Severity.NOTE if excused else Severity.ERROR,
            evidence={
                "values": [batch[k] for batch in gradients.values],
                "grad_norm": 0.0,
                **({"zero_initialised": list(zero_heads)} if zero_heads else {}),
            },
            remedy="Compare the prediction before it is clamped or saturated, and check that the right tensors are compared.",
            location=next((operation.location for operation in operations if operation.location), None)
            or case.locate_component(name),
        )

    @staticmethod
    def _cause(operations: list[Operation]) -> str:
        """Return what in the operands makes the slope vanish, "" where nothing shows."""
        for operation in operations:
            pair = operation.operands[:2]
            if len(pair) == 2 and pair[0].overall == pair[1].overall and pair[0].channels == pair[1].channels:
                return f"{operation.name} compares a tensor with itself"
            for operand in operation.operands:
                if operand.requires_grad and operand.overall.std == 0:
                    return f"what enters {operation.name} is constant at {operand.overall.mean:.4g}"
                if operand.requires_grad and "clamp" in operand.origin:
                    return f"what enters {operation.name} was clamped"
        return ""
