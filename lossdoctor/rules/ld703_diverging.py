"""LD703: training makes the loss larger, or no number at all."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import median
from typing import TYPE_CHECKING, ClassVar

from ..records import Finding, Severity
from .base import Case, Rule

if TYPE_CHECKING:
    from ..trial_records import Curve, Number


class Diverging(Rule):
    """The total grows, or becomes NaN or infinite, while it is trained.

    Descent that raises what it descends takes steps that are too long for the curvature, or has met an operation that
    overflowed. The median of the last tenth of the run is compared with the first value. It counts where the total
    has risen by more than the sum of the sizes of its weighted components at the start, so that it has at least
    doubled where they are positive: losses that only wander, as those of reinforcement learning do, are left alone.
    Of objectives that play against each other (GANs), whose totals rise in health, only values that are not finite
    count.

    Usual causes: a learning rate that is too high, a component in large units (LD201, LD203, LD301), a root,
    logarithm or division near zero, fp16 without room.

    Remedy: lower `trial.lr` ten times; if that helps, look for the component that needs it. `trial.clip` bounds the
    step, `trial.warmup` the first ones.

    Options: `growth` (1) of that sum.
    """

    code: ClassVar[str] = "LD703"
    name: ClassVar[str] = "diverging"
    severity: ClassVar[Severity] = Severity.ERROR
    requires: ClassVar[tuple[str, ...]] = ("trial",)
    explains: ClassVar[tuple[str, ...]] = ("LD701", "LD702", "LD704", "LD705")
    overshadows: ClassVar[tuple[str, ...]] = explains

    growth: float = 1.0

    def check(self, case: Case) -> Iterator[Finding]:
        """Yield a finding for every objective that diverges."""
        for curve in case.trial.curves if case.trial else ():
            if (lost := _first_lost(curve)) is not None:
                yield self._finding(case, curve, _non_finite(curve), f"is not finite from step {lost} on", lost)
            elif not curve.adversarial and self._grows(curve):
                words = f"grows from {curve.total[0]:.4g} to {_level(curve.total):.4g}"
                yield self._finding(case, curve, _rising(curve), words, None)

    def _grows(self, curve: Curve) -> bool:
        if len(curve.total) < 3 or curve.total[0] is None:
            return False
        size = sum(abs(curve.weights[name] * (values[0] or 0.0)) for name, values in curve.components.items())
        return size > 0 and _level(curve.total) - curve.total[0] > self.growth * size

    def _finding(self, case: Case, curve: Curve, components: list[str], words: str, lost: int | None) -> Finding:
        return self.finding(
            components,
            f"the total of {curve.objective} {words} while it is trained",
            objective=curve.objective,
            evidence={
                "start": curve.total[0],
                "end": curve.total[-1],
                "first_non_finite_step": lost,
                "lr": case.config.trial.lr if case.config else None,
                "components": {name: [curve.components[name][0], curve.components[name][-1]] for name in components},
            },
            remedy="Lower trial.lr ten times. If that helps, look for the component that needs it: large units, a "
            "root, a logarithm or a division near zero. trial.clip and trial.warmup bound the steps.",
            location=case.locate("trial", "lr"),
        )


def _first_lost(curve: Curve) -> int | None:
    """Return the step from which on no total is finite; None where the last ones are."""
    lost = None
    for step, value in zip(reversed(curve.steps), reversed(curve.total), strict=True):
        if value is not None:
            break
        lost = step
    return lost


def _non_finite(curve: Curve) -> list[str]:
    return [name for name, values in curve.components.items() if values[-1] is None]


def _rising(curve: Curve) -> list[str]:
    """Return the components that rise in the total, the one that rises most first; at least that one."""
    rises = {
        name: curve.weights[name] * (_level(values) - values[0])
        for name, values in curve.components.items()
        if values and values[0] is not None
    }
    most = max(rises.values())
    return [name for name in sorted(rises, key=lambda name: -rises[name]) if rises[name] > 0.05 * most]


def _level(values: Sequence[Number]) -> float:
    """Return the median of the last tenth, which a single spike does not move."""
    last = [value for value in values[-max(len(values) // 10, 1) :] if value is not None]
    return median(last) if last else float("inf")
