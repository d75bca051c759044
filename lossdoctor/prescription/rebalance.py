"""Weights that give every component the share of the gradient that it is meant to have.

The gradient of a component grows with its weight, so one measurement tells all weights: `wᵢ ∝ sᵢ / ‖∇Lᵢ‖`, with norms
on the parameters that at least two components reach.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from ..records import ComponentReport, ObjectiveReport
from ..rules.base import percent


@dataclass(frozen=True)
class NewWeight:
    """The weight that a component should have, and the numbers that it follows from."""

    component: str
    old: float
    new: float  #: two significant digits
    share: float  #: measured with the old weights
    aim: float  #: the share that the new weights give it
    norm_ratio: float  #: ‖∇L‖ of the reference over its own, unweighted
    reference: str  #: the component whose weight stays
    spread: float | None  #: relative standard deviation of its gradient norm over the batches

    @property
    def reason(self) -> str:
        """Return where the weight comes from, in words."""
        spread = "" if self.spread is None else f"; its norm varies by {100 * self.spread:.0f} % over the batches"
        return (
            f"{self.new:g}, for {percent(self.aim)} of the gradient ({percent(self.share)} if it stayed {self.old:g}): "
            f"unweighted, its gradient is {1 / self.norm_ratio:.3g} times that of {self.reference}, "
            f"whose weight stays{spread}"
        )


def rebalanced(
    objective: ObjectiveReport, shares: Mapping[str, float], unsuspected: Collection[str]
) -> tuple[NewWeight, ...]:
    """Return the weights that bring the gradient shares of an objective to the declared ones.

    Components without a declared share divide what is left equally; a regularizer without one keeps the share that it
    has. One weight stays, so that the overall scale, and with it the learning rate, keep their meaning: of the
    `unsuspected` components, those that no finding blames, the one with the largest share. Components that cannot be
    judged (no weight, no gradient on shared parameters) are left alone.
    """
    judged = [component for component in objective.components if component.grad_share and component.weight]
    if len(judged) < 2:
        return ()
    aims = _aims(objective.name, judged, shares)
    reference = max(judged, key=lambda c: (c.name in unsuspected, aims[c.name] > 0, c.grad_share or 0.0))
    if not aims[reference.name]:
        return ()
    return tuple(_new_weight(component, aims[component.name], reference, aims[reference.name]) for component in judged)


def _aims(objective: str, judged: Collection[ComponentReport], shares: Mapping[str, float]) -> dict[str, float]:
    """Return the share that each component should have; they add up to 1."""
    aims = {
        c.name: share for c in judged if (share := shares.get(f"{objective}.{c.name}", shares.get(c.name))) is not None
    }
    aims |= {c.name: c.grad_share or 0.0 for c in judged if c.name not in aims and c.role == "regularizer"}
    others = [c.name for c in judged if c.name not in aims]
    aims |= dict.fromkeys(others, max(1 - sum(aims.values()), 0.0) / len(others) if others else 0.0)
    total = sum(aims.values())
    return {name: aim / total for name, aim in aims.items()}


def _new_weight(component: ComponentReport, aim: float, reference: ComponentReport, reference_aim: float) -> NewWeight:
    norm_ratio = _norm(reference) / _norm(component)
    ideal = abs(reference.weight) * aim / reference_aim * norm_ratio
    rounded = reference.weight if component is reference else math.copysign(float(f"{ideal:.1e}"), component.weight)
    return NewWeight(
        component=component.name,
        old=component.weight,
        new=rounded,
        share=component.grad_share or 0.0,
        aim=aim,
        norm_ratio=norm_ratio,
        reference=reference.name,
        spread=component.spread.grad_norm,
    )


def _norm(component: ComponentReport) -> float:
    """Return the unweighted gradient norm on the shared parameters, up to a factor that all have in common."""
    return (component.grad_share or 0.0) / abs(component.weight)
