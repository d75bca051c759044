"""LD407: dropout or batch norm in train mode on the loss side."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, ClassVar

from ..records import Finding, Severity
from .base import Case, Rule, listing

if TYPE_CHECKING:
    from ..facts.probes import Wavering


class NondeterministicLoss(Rule):
    """The same prediction has two values because a dropout or batch norm on the loss side is in train mode.

    A loss network, a teacher or a criterion that was never put into eval mode drops features at random and normalises
    by the batch, so that the loss of a sample depends on chance and on its neighbours. `model.train()` at the start of
    every epoch puts a teacher inside the model back into train mode. Sampled time steps and noise are no fault, nor is
    dropout in the model or on the input, nor the batch norm of a network that is trained itself or is the moving
    average of one that is: those are meant to use the batch's statistics.

    Measured: the loss is run twice on the same prediction, from the same random state, but for those layers: their
    dropout draws other numbers, their batch norm uses its running statistics in place of the batch's. Some teach with
    the teacher in train mode on purpose (overhaul-distillation measured it to be better): a warning.

    Remedy: `.eval()` and `requires_grad_(False)` on the loss network or teacher, again after every `model.train()`, or
    `training=False` for the functional dropout.
    """

    code: ClassVar[str] = "LD407"
    name: ClassVar[str] = "nondeterministic-loss"
    severity: ClassVar[Severity] = Severity.WARNING
    requires: ClassVar[tuple[str, ...]] = ("gradients", "waverings")

    def check(self, case: Case) -> Iterator[Finding]:
        """Yield one finding for all components of an objective that waver."""
        facts = (case.examination.waverings if case.examination else None) or ()
        for objective in case.objectives:
            used = [component.name for component in objective.components if component.weight != 0]
            wavering = [fact for fact in facts if fact.objective == objective.name and fact.component in used]
            if wavering:
                yield self._report(case, objective.name, wavering)

    def _report(self, case: Case, objective: str, wavering: Sequence[Wavering]) -> Finding:
        names = [fact.component for fact in wavering]
        layers = wavering[0].layers
        kinds = sorted({layer.kind for layer in layers}, reverse=True)
        networks = sorted({layer.network for layer in layers if layer.network})
        inside = f" in {listing(networks)}" if networks else ""
        largest = max(abs(a - b) / max(abs(a), abs(b)) for a, b in (fact.values for fact in wavering))
        has = "has" if len(names) == 1 else "have"
        return self.finding(
            names,
            f"{listing(names)} {has} other values for the same prediction (by {100 * largest:.2g} %): "
            f"{listing(kinds)} on the loss side{inside} in train mode",
            objective=objective,
            evidence={
                "values": {fact.component: fact.values for fact in wavering},
                "layers": [f"{layer.kind} in {layer.network or 'the loss'}" for layer in layers],
            },
            remedy="Put the loss network or teacher into eval mode (.eval(), again after every model.train()), or pass "
            "training=False.",
            location=next((layer.location for layer in layers if layer.location), case.locate_component(names[0])),
        )
