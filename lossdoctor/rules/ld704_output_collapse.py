"""LD704: the trained model puts out nearly the same everywhere, or nearly no colour."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar

from ..records import Finding, Severity
from .base import Case, Rule, percent

if TYPE_CHECKING:
    from ..trial_records import FinalOutput, Trial

#: The mean below which an image in [0, 1] is dark. The colourfulness below which one is grey: people call images "not
#: colourful" up to 15 (Hasler & Süsstrunk 2003, table 1).
DARK, GREY = 0.1, 15.0

COLORS = ("red", "green", "blue")


class OutputCollapse(Rule):
    """The outputs of the trained model are constant, the same for every sample, or for images almost grey or black.

    A loss can reward that: the mean of all targets is the best constant under MSE, and the best one can do where the
    input says nothing. The outputs are compared with their own targets: with less than a hundredth of the targets'
    standard deviation they are constant; with less than a hundredth of it between the samples they are the same for
    each; in RGB, with less than a tenth of the targets' colourfulness (Hasler & Süsstrunk 2003) they are grey, and
    black or of a single colour where the mean of a channel is off by more than the targets' own standard deviation.
    Targets that are themselves constant, grey or dark ask for nothing else. What is no image may be in another unit
    than its target, such as an inverse depth or a residual: it has to be constant beside its own size as well.

    Usual causes: a component that is the same for every output dominates (LD101), a learning rate that has thrown the
    last activation onto its flat end (LD606, LD703), an input that is not used (LD706), or too few steps.

    Remedy: look at the picture (`samples.png`) and at the components that should have told the outputs apart.

    Options: `least_variation` (0.01) and `least_color` (0.1) of the targets'.
    """

    code: ClassVar[str] = "LD704"
    name: ClassVar[str] = "output-collapse"
    severity: ClassVar[Severity] = Severity.WARNING
    requires: ClassVar[tuple[str, ...]] = ("trial.outputs",)

    least_variation: float = 0.01
    least_color: float = 0.1

    def check(self, case: Case) -> Iterator[Finding]:
        """Yield a finding for every output that has collapsed."""
        trial = case.trial
        for output in (trial.outputs or ()) if trial else ():
            words = self._fault(output)
            if trial and words:
                yield self._finding(case, trial, output, words)

    def _fault(self, seen: FinalOutput) -> str | None:
        output, target = seen.output, seen.target
        if self._is_less(output.std, target.std, seen):
            return f"is constant: its standard deviation is {_part(output.std, target.std)} of the target's"
        if seen.samples > 1 and self._is_less(output.between_samples, target.between_samples, seen):
            part = _part(output.between_samples, target.between_samples)
            return f"is the same for every sample: it varies between them by {part} of what the target does"
        return self._color_fault(seen) if seen.image else None

    def _is_less(self, variation: float, wanted: float, seen: FinalOutput) -> bool:
        """Whether an output varies far less than its target, in whatever unit."""
        size = None if seen.image else seen.output.rms
        beside_itself = size is None or variation <= self.least_variation * size
        return variation < self.least_variation * wanted and beside_itself

    def _color_fault(self, seen: FinalOutput) -> str | None:
        output, target = seen.output, seen.target
        casts = [mine - wanted for mine, wanted in zip(output.means, target.means, strict=True)]
        if min(target.means) > DARK and max(output.means) < DARK / 2:
            return f"is almost black: its mean is {max(output.means):.2g}, the target's {max(target.means):.2g}"
        strongest = max(range(len(casts)), key=lambda channel: casts[channel])
        if len(casts) == len(COLORS) and casts[strongest] - min(casts) > 2 * target.std:
            return f"is almost all {COLORS[strongest]}: its means are {_listed(output.means)}, the target's " + _listed(
                target.means
            )
        wanted, got = target.colorfulness, output.colorfulness
        if wanted is not None and got is not None and wanted > GREY and got < self.least_color * wanted:
            return f"is almost grey: its colourfulness is {got:.2g}, the target's {wanted:.2g}"
        return None

    def _finding(self, case: Case, trial: Trial, seen: FinalOutput, words: str) -> Finding:
        picture = next((file for file in trial.files if file.endswith("samples.png")), None)
        return self.finding(
            [name for curve in trial.curves for name in curve.components],
            f"after {trial.steps} steps, the {seen.name} {words}",
            objective=trial.curves[0].objective if trial.curves else "total",
            evidence={
                "std": [seen.output.std, seen.target.std],
                "between_samples": [seen.output.between_samples, seen.target.between_samples],
                "channel_means": [list(seen.output.means), list(seen.target.means)],
                "colorfulness": [seen.output.colorfulness, seen.target.colorfulness],
                "picture": picture,
            },
            remedy=f"Look at {picture or 'the outputs'}, and at the components that should tell the outputs apart: "
            "their shares over the steps, and what else was found.",
            location=case.locate("loss"),
        )


def _part(mine: float, wanted: float) -> str:
    return percent(mine / wanted)


def _listed(numbers: tuple[float, ...]) -> str:
    return ", ".join(f"{number:.2g}" for number in numbers)
