"""LD706: the output does not depend on the input."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from ..records import Finding, Severity
from .base import Case, Rule


@dataclass(frozen=True)
class InputIgnored(Rule):
    """The model's output is the same whatever its input is.

    After the run, the model is called with the batch and with zeros in the place of its input, from the same random
    state. An output that stays the same to float32's precision does not depend on the input. Before the run that
    could be a last layer that starts at zero, a usual initialisation; a trained model has no such excuse. The loss
    may have fallen all the same, to what can be had without looking: the mean of the targets.

    Usual causes: the input is overwritten or multiplied by zero, a branch is detached and replaced, the wrong
    variable is passed on, every unit behind the input is dead.

    Remedy: follow the input through the model's forward; print a tensor at each stage for two different inputs.

    Options: `change` (1e-6), the norm of the difference over the norm of the output.
    """

    code: ClassVar[str] = "LD706"
    name: ClassVar[str] = "input-ignored"
    severity: ClassVar[Severity] = Severity.ERROR
    requires: ClassVar[tuple[str, ...]] = ("trial.input_effect",)
    explains: ClassVar[tuple[str, ...]] = ("LD701", "LD704", "LD705")

    change: float = 1e-6

    def check(self, case: Case) -> Iterator[Finding]:
        """Yield a finding where the output does not change with the input."""
        trial = case.trial
        effect = trial.input_effect if trial else None
        if trial is None or effect is None or effect.change > self.change:
            return
        for curve in trial.curves:
            yield self.finding(
                list(curve.components),
                f"the model's {effect.output} is the same with its input zeroed: it does not depend on the input",
                objective=curve.objective,
                evidence={
                    "change": effect.change,
                    "end": {name: values[-1] for name, values in curve.components.items() if values},
                },
                remedy="Follow the input through the model's forward: somewhere it is overwritten, multiplied by zero, "
                "detached, or every unit behind it is dead.",
                location=case.locate("model", "target"),
            )
