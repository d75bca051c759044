"""LD304: elements that the batch says to ignore count all the same."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar

from ..records import Finding, Severity
from .base import Case, Rule, percent

if TYPE_CHECKING:
    from ..facts.probes import Padding

#: Relative difference of two estimates of one part of a value that is rounding, or noise.
_ALIKE = 0.02


class PaddingCounted(Rule):
    """Ignored, padded or masked elements receive gradient, or dilute the mean.

    Sequences of one batch are filled up to one length, images have pixels that nobody labelled, depth maps have holes,
    key points may be invisible. What the batch marks so must not count. Two ways in which it does: the component
    compares the filling, and the model learns to predict it, mostly that, where there is much of it; or the errors
    there are zeroed, but the mean divides by all elements (`(loss * mask).mean()`, `reduction="none"` and then
    `.mean()`), so that the weight of the component depends on how much of the batch happens to be filling.

    The output of the model is held and two things are tried that must not matter. Marked elements must get no
    gradient from a component that looks at what they mark. And with as many elements again, all of them marked, the
    value must be the same. A mark is a label such as -100 or 255, a token that is nowhere but at the end of rows, a
    mask or lengths beyond which the data holds a single value, or zeros far from everything measured.

    Left alone: a mask over real data (inpainting, masked autoencoders), a mask that is the target, one-hot targets, a
    negative label whose elements are learnt as background, the end of a sentence, components that do not look at what
    is marked (smoothness, auxiliary losses of a router), and a sum over a sequence, which nothing dilutes.

    Remedy: `(loss * mask).sum() / mask.sum().clamp(min=1)`; `ignore_index=`; or pick what counts before it is
    compared, `loss[mask].mean()`.

    Options: `least_change` (0.01) of the value, where marked elements are appended.
    """

    code: ClassVar[str] = "LD304"
    name: ClassVar[str] = "padding-counted"
    severity: ClassVar[Severity] = Severity.WARNING
    requires: ClassVar[tuple[str, ...]] = ("gradients", "paddings")

    least_change: float = 0.01

    def check(self, case: Case) -> Iterator[Finding]:
        """Yield a finding for every component to which marked elements matter."""
        paddings = (case.examination.paddings or ()) if case.examination else ()
        for objective in case.objectives:
            weighted = {component.name for component in objective.components if component.weight}
            reported = set[str]()
            for padding in paddings:
                name = padding.component
                if padding.objective == objective.name and name in weighted - reported and self._counts(padding):
                    reported.add(name)
                    yield self._report(case, padding)

    def _counts(self, padding: Padding) -> bool:
        if padding.is_learned:
            return True
        diluted = dilution(padding)
        return diluted is not None and diluted > self.least_change * abs(padding.value)

    def _report(self, case: Case, padding: Padding) -> Finding:
        name = padding.component
        where = f"where {padding.mark}" if " is " in padding.mark else padding.mark
        if " ends in " in padding.mark or " starts with " in padding.mark:
            where = f"in the padding ({padding.mark})"
        if padding.is_learned:
            says = (
                f"{name} learns from what is to be ignored: {percent(padding.share)} of the elements, {where}, "
                f"get gradient, {percent(padding.slope)} of what the others get"
            )
        else:
            says = (
                f"{name} is diluted by what is to be ignored: its mean counts the elements {where}, which get no "
                f"gradient; with as many elements again, all ignored, it goes from {padding.value:.4g} to "
                f"{padding.appended[0]:.4g}"
            )
        return self.finding(
            [name],
            says,
            objective=padding.objective,
            evidence={
                "ignored": padding.mark,
                "share_of_elements": padding.share,
                "gradient_there": padding.slope,
                "value": padding.value,
                "value_with_ignored_elements_appended": list(padding.appended),
            },
            remedy="Divide the sum over the elements that count by their number: (loss * mask).sum() / "
            "mask.sum().clamp(min=1), or ignore_index= where the loss has it.",
            location=case.locate_component(name),
        )


def dilution(padding: Padding) -> float | None:
    """Return the part of the value that is a mean over all elements; None where it does not shrink as such a part does.

    a + b becomes a + b/2 with as many elements again, and a + b/3 with twice as many.
    """
    if len(padding.appended) < 2 or not all(map(math.isfinite, padding.appended)):
        return None
    once, twice = ((padding.value - value) * (n + 1) / n for n, value in enumerate(padding.appended, 1))
    shrinks = once * padding.value > 0 and math.isclose(once, twice, rel_tol=_ALIKE)
    return abs(once) if shrinks else None
