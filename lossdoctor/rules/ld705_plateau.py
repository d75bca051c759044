"""LD705: the loss stands still although it could fall."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import median
from typing import TYPE_CHECKING, ClassVar

from ..records import Finding, Severity
from .base import Case, Rule, percent

if TYPE_CHECKING:
    from ..trial_records import Curve, Number, Trial


class Plateau(Rule):
    """The total has stopped falling, and much of what could go is still there.

    The second half of the run brought it down by less than a hundredth of what could go, and that is not because it
    had arrived. When overfitting one batch, all that is above the value of a perfect prediction can go, and a tenth
    of it is still there. When training, the least value is not known, since no model foresees what the input does not
    tell: there it counts only where the whole run brought the total down by less than a hundredth of its size.

    Objectives that play against each other (GANs) are left out: their totals are no measure of progress.

    Usual causes: a learning rate that is too low, or too high to get into the valley; units that died on the way; a
    component that holds the others back (LD103); an output that has collapsed (LD704).

    Remedy: try `trial.lr` ten times larger and smaller, `trial.schedule: cosine`, and look at the shares over the
    steps.

    Options: `progress` (0.01) of what could go, in the second half. `remaining` (0.1) of it, at the end.
    """

    code: ClassVar[str] = "LD705"
    name: ClassVar[str] = "plateau"
    severity: ClassVar[Severity] = Severity.WARNING
    requires: ClassVar[tuple[str, ...]] = ("trial.planned",)

    progress: float = 0.01
    remaining: float = 0.1

    def check(self, case: Case) -> Iterator[Finding]:
        """Yield a finding for every objective that stands still too early."""
        trial = case.trial
        for curve in trial.curves if trial else ():
            if trial and not curve.adversarial and trial.stopped is None and len(curve.total) >= 20:
                yield from self._judge(case, trial, curve)

    def _judge(self, case: Case, trial: Trial, curve: Curve) -> Iterator[Finding]:
        start, half, end = curve.total[0], *_levels(curve.total)
        if start is None or half is None or end is None:
            return
        floor = curve.weighted((trial.floors or {}).get(curve.objective, {})) if trial.floors else None
        reducible = start - floor if floor is not None else abs(start)
        if reducible <= 0 or abs(half - end) > self.progress * reducible:
            return
        left = (end - floor) / reducible if floor is not None else None
        if left is not None and left < self.remaining:
            return
        if left is None and start - end > self.progress * reducible:
            return
        names = [name for name in curve.components if curve.weights[name] and curve.roles[name] != "regularizer"]
        yield self.finding(
            names or list(curve.components),
            f"the total of {curve.objective} stands still at {end:.4g} since the middle of the run"
            + (f", with {percent(left)} of what could go still there" if left is not None else ""),
            objective=curve.objective,
            evidence={"start": start, "half": half, "end": end, "perfect_prediction": floor, "steps": trial.steps},
            remedy="Try trial.lr ten times larger and smaller and trial.schedule: cosine, and look at the shares over "
            "the steps.",
            location=case.locate("trial", "lr"),
        )


def _levels(values: Sequence[Number]) -> tuple[Number, Number]:
    """Return the medians of the tenths around the middle and at the end."""
    tenth, middle = max(len(values) // 10, 1), len(values) // 2
    return _median(values[middle - tenth // 2 : middle + tenth - tenth // 2]), _median(values[-tenth:])


def _median(values: Sequence[Number]) -> Number:
    known = [value for value in values if value is not None]
    return median(known) if known else None
