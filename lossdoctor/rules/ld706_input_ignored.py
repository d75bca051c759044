"""LD706: an output that does not depend on the input."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar

from ..records import Finding, Severity
from .base import Case, Rule

if TYPE_CHECKING:
    from ..facts.probes import InputDependence
    from ..trial_records import InputEffect, Trial


class InputIgnored(Rule):
    """The input is replaced, and the output stays what it was.

    A model that answers the same to everything can only learn the mean of the targets, and it does: the loss falls for
    a while and then stays. Usual causes: a trunk of dead ReLUs; a branch that works on a constant (`torch.zeros_like`,
    a stale buffer, the wrong variable); a softmax over a single unit; a normalisation over a dimension of size one; a
    saturated layer.

    The arguments of the model are changed, all else stays, random numbers included: every number moves by the standard
    deviation of its tensor, or, where only indices go in, every sample is given another's. The output has to change by
    more than rounding, or at least to have a derivative by the input. Where a training step calls parts of the model by
    themselves, each of them is asked; of several outputs, each one that has a target.

    A last layer that starts at zero is a usual initialisation, and lets nothing through until it has moved: a note, and
    a trial decides: after it the model is called once more with its input zeroed, and there is no such excuse.

    Remedy: follow the input through the forward until it is lost: the first layer whose output is the same for all
    samples.

    Options: `least_change` (1e-6) of an element of the output, in parts of its largest: what rounding may do.
    """

    code: ClassVar[str] = "LD706"
    name: ClassVar[str] = "input-ignored"
    severity: ClassVar[Severity] = Severity.ERROR
    requires: ClassVar[tuple[str, ...]] = ("dependences",)
    explains: ClassVar[tuple[str, ...]] = ("LD503", "LD605", "LD701", "LD704", "LD705")
    overshadows: ClassVar[tuple[str, ...]] = ("LD605", "LD701", "LD705")

    least_change: float = 1e-6

    def check(self, case: Case) -> Iterator[Finding]:
        """Yield a finding for the model, or every part of it that is called by itself, that ignores its input."""
        if case.trial is not None and case.trial.input_effect is not None:
            yield from self._after_trial(case, case.trial, case.trial.input_effect)
            return
        examination = case.examination
        dependences = (examination.dependences or ()) if examination else ()
        ignoring = [d for d in dependences if d.change <= self.least_change and not d.slope]
        everything = {dependence.module for dependence in ignoring if dependence.output is None}
        for dependence in ignoring:
            if dependence.output is None or dependence.module not in everything:
                yield self._report(case, dependence)

    def _after_trial(self, case: Case, trial: Trial, effect: InputEffect) -> Iterator[Finding]:
        for curve in trial.curves if effect.change <= self.least_change else ():
            yield self.finding(
                list(curve.components),
                f"after training, the model's {effect.output} is the same with its input zeroed: it does not depend on "
                "the input",
                objective=curve.objective,
                evidence={
                    "change": effect.change,
                    "end": {name: values[-1] for name, values in curve.components.items() if values},
                },
                remedy="Follow the input through the forward until it is lost: somewhere it is overwritten, multiplied "
                "by zero or detached, or every unit behind it is dead.",
                location=case.locate("model", "target"),
            )

    def _report(self, case: Case, dependence: InputDependence) -> Finding:
        parameters = case.examination.parameters if case.examination else None
        zero_initialised = parameters.zero_initialised if parameters else ()
        zero = [name for name in dependence.last_layers if name in zero_initialised]
        what = f"what {dependence.module} gives" if dependence.module else dependence.output or "the output"
        return self.finding(
            [],
            f"{what} does not depend on the input"
            + (f": {zero[0]} starts at zero, which lets nothing through until it has moved" if zero else ""),
            objective=case.objectives[0].name if len(case.objectives) == 1 else "",
            severity=Severity.NOTE if zero else Severity.ERROR,
            evidence={
                "module": dependence.module or "model",
                **({"output": dependence.output} if dependence.output else {}),
                "change": dependence.change,
                **({"zero_initialised": zero} if zero else {}),
            },
            remedy="Nothing for now: a few training steps decide."
            if zero
            else "Follow the input through the forward until it is lost: the first layer whose output is the same "
            "for all samples.",
            location=case.locate("model", "target"),
        )
