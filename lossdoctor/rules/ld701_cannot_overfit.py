"""LD701: the loss does not get rid of half of what could go, on one batch seen again and again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, ClassVar

from ..learned import LEARNED, NOTICEABLE, reducible_gone
from ..records import Finding, Severity
from .base import Case, Rule, listing, percent
from .ld404_imperfect_optimum import is_compared_as_it_is

if TYPE_CHECKING:
    from ..trial_records import ComponentVerdict, Curve, Trial

STUCK = (
    "Look at the other findings first. If there are none, try trial.lr ten times larger and smaller, and check that "
    "the targets belong to the inputs."
)
MIXED_UP = (
    "Check that every sample is compared with its own target: something gives the targets another order each time."
)
FALLING = "The total was still falling at the end: try more --steps first, or a larger trial.lr."


class CannotOverfit(Rule):
    """A model with fresh weights does not learn a single batch by heart.

    One batch, seen again and again, can be learned by heart by any model of a useful size: whatever keeps it from
    that will keep it from learning a data set (Karpathy, A Recipe for Training Neural Networks, 2019: "overfit one
    batch"). What counts is the reducible loss: what the total was at the start, less what it is for a perfect
    prediction, with the last weights of the components. Less than half of that is gone after `trial.steps` steps,
    where a loss that works gets rid of nearly all.

    The value of a perfect prediction is measured: the loss runs with the target in the place of the model's output.
    Where that cannot be done, nothing is said. Where it is no better than the untrained output, although the loss
    compares the output itself with values that are the target's, samples are compared with the targets of others:
    then half of the loss itself has to go, which it does if those others stay the same.

    Every step starts from the same random state, so dropout and sampled noise are part of what can be learned by
    heart. Objectives that play against each other (GANs) are left out: theirs is no minimum. So are runs that do not
    start from fresh weights.

    Usual causes: the diagnosis names most of them (no gradient, a wrong sign, a dead layer, two activations). If it
    names none: a learning rate of another order, targets that belong to other inputs, a model whose output cannot
    reach the targets, an input that is thrown away (LD706), or simply too few steps.

    Remedy: look at the other findings first. Then try `--set trial.lr=…` ten times larger and smaller, and more
    `--steps`.

    Options: `least_gone` (0.5) of the reducible loss.
    """

    code: ClassVar[str] = "LD701"
    name: ClassVar[str] = "cannot-overfit"
    severity: ClassVar[Severity] = Severity.ERROR
    requires: ClassVar[tuple[str, ...]] = ("trial.floors",)
    explains: ClassVar[tuple[str, ...]] = ("LD705",)

    least_gone: float = LEARNED

    def check(self, case: Case) -> Iterator[Finding]:
        """Yield a finding for every objective that keeps most of its reducible loss."""
        trial = case.trial
        for curve in trial.curves if trial else ():
            floors = (trial.floors or {}).get(curve.objective) if trial else None
            if trial and floors and not curve.adversarial and trial.stopped is None:
                yield from self._judge(case, trial, curve, floors)

    def _judge(self, case: Case, trial: Trial, curve: Curve, floors: Mapping[str, float]) -> Iterator[Finding]:
        verdicts = {verdict.component: verdict for verdict in trial.verdicts if verdict.objective == curve.objective}
        start = curve.weighted({name: verdict.start for name, verdict in verdicts.items()})
        end = curve.weighted({name: verdict.end for name, verdict in verdicts.items()})
        floor = curve.weighted(floors)
        gone = reducible_gone(start, end, floor)
        mixed_up = gone is None and _compares_with_the_target(case, curve)
        if mixed_up:
            gone = reducible_gone(start, end, 0.0)
        if start is None or floor is None or gone is None or gone >= self.least_gone:
            return
        stuck = [name for name, verdict in verdicts.items() if self._is_stuck(curve, verdict)] or list(verdicts)
        yield self.finding(
            stuck,
            f"after {trial.steps} steps on one batch, {_amount(gone)} of what could go of {curve.objective} is gone: "
            f"{listing(stuck)} {'does' if len(stuck) == 1 else 'do'} not learn even one batch by heart"
            + (
                f"; and a perfect prediction is worth {floor:.4g}, where the untrained one is {start:.4g}"
                if mixed_up
                else ""
            )
            + ("" if curve.trained else "; there is nothing to train, every parameter is frozen"),
            objective=curve.objective,
            evidence={
                "start": start,
                "end": end,
                "perfect_prediction": floor,
                "gone": gone,
                "steps": trial.steps,
                "trained_parameters": curve.trained,
                "components": {name: _evidence(verdicts[name]) for name in stuck},
            },
            remedy=MIXED_UP if mixed_up else FALLING if _still_falling(curve, start - floor) else STUCK,
            location=case.locate_component(stuck[0]),
        )

    def _is_stuck(self, curve: Curve, verdict: ComponentVerdict) -> bool:
        """Whether a component that can fall, and is meant to, has not fallen by half."""
        if curve.roles.get(verdict.component) == "regularizer" or not curve.weights.get(verdict.component, 1.0):
            return False
        return verdict.verdict != "learned"


def _compares_with_the_target(case: Case, curve: Curve) -> bool:
    """Whether an operation of the objective compares the output itself with values that are the target's."""
    optima = (case.examination.optima if case.examination else None) or ()
    return any(optimum.objective == curve.objective and is_compared_as_it_is(case, optimum) for optimum in optima)


def _still_falling(curve: Curve, reducible: float) -> bool:
    """Whether the second half of the run made a noticeable part of the way."""
    half, end = curve.total[len(curve.total) // 2], curve.total[-1]
    return half is not None and end is not None and half - end > NOTICEABLE * reducible


def _amount(gone: float) -> str:
    return "nothing" if gone <= 0 else f"only {percent(gone)}"


def _evidence(verdict: ComponentVerdict) -> dict[str, float | str | None]:
    return {"start": verdict.start, "end": verdict.end, "verdict": verdict.verdict}
