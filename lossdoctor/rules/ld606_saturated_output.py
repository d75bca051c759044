"""LD606: an output that sits where its activation is flat."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar

from ..records import Finding, Severity
from .base import Case, Rule, percent

if TYPE_CHECKING:
    from ..facts.outputs import Output


class SaturatedOutput(Rule):
    """Most of the output sits where its activation is flat, and not because the model is right.

    A sigmoid has 1 % of its steepest slope left at |x| = 6 and a tanh at |x| = 3, and that is all of the gradient that
    comes through; a softmax is as flat in a row whose largest probability lies beyond 0.9975. Half of the elements is
    where Amazon SageMaker Debugger (SaturatedActivation) and TheDeepChecker (arXiv 2204.00694) draw the line; their
    inner limits are wider (|x| of 9.5 to 23), because they watch layers that compensate, and an output cannot.

    A trained classifier or a mask is saturated and right, which is what training is for. So the output is held against
    whatever in the batch has its shape, or classes for its rows, and counts as wrong beyond a quarter of its range from
    that. Where the batch has no such tensor, it is reported for fresh weights only, and for a model with one output.

    Usual causes: an initialisation with too much gain, inputs in 0–255 or other large units, logits multiplied by a
    scale or divided by a tiny temperature in front of the activation.

    Remedy: normalise the inputs, initialise the last layer smaller, or use a loss that takes the logits
    (`binary_cross_entropy_with_logits`, `cross_entropy`), whose slope does not vanish.

    Options: `saturated_share` (0.5) of the elements. `wrong_share` (0.25) of the saturated ones; chance alone makes
    half of them wrong, or more.
    """

    code: ClassVar[str] = "LD606"
    name: ClassVar[str] = "saturated-output"
    severity: ClassVar[Severity] = Severity.WARNING
    requires: ClassVar[tuple[str, ...]] = ("outputs",)
    explains: ClassVar[tuple[str, ...]] = ("LD605",)

    saturated_share: float = 0.5
    wrong_share: float = 0.25

    def check(self, case: Case) -> Iterator[Finding]:
        """Yield a finding for every output that is saturated without being right."""
        examination = case.examination
        outputs = (examination.outputs or ()) if examination else ()
        fresh = examination is not None and examination.checkpoint is None
        for output in outputs:
            # A tensor among several may be a gate or a code, which is flat on purpose.
            hurts = fresh and output.name == "output" if output.saturated_wrong is None else self._is_wrong(output)
            if hurts and output.saturated >= self.saturated_share:
                yield self._judge(case, output)

    def _is_wrong(self, output: Output) -> bool:
        return output.saturated_wrong is not None and output.saturated_wrong >= self.wrong_share

    def _judge(self, case: Case, output: Output) -> Finding:
        wrong = output.saturated_wrong
        activation = output.activation or "activation"
        known = f", and {percent(wrong)} of that lies far from the target" if wrong is not None else ""
        return self.finding(
            [],
            f"{percent(output.saturated)} of {output.name} sits where its {activation} is flat{known}: at most 1 % of "
            "the gradient comes through there",
            objective=case.objectives[0].name if len(case.objectives) == 1 else "",
            evidence={
                "saturated": output.saturated,
                "wrong": wrong,
                "activation": activation,
                "minimum": output.overall.minimum,
                "maximum": output.overall.maximum,
            },
            remedy="Normalise the inputs, initialise the last layer smaller and leave out any factor in front of the "
            "activation, or use a loss that takes the logits.",
            location=case.locate("model", "target"),
        )
