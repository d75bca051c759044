"""How each component stands among those whose balance can be judged."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from .. import balance
from .base import Case, rivals

if TYPE_CHECKING:
    from ..facts.gradients import ObjectiveGradients
    from ..records import ComponentReport, ObjectiveReport


class Standing(NamedTuple):
    """One component against its rivals (see `base.rivals`); shares are shares of their gradient alone."""

    objective: str
    component: ComponentReport
    others: tuple[ComponentReport, ...]  #: at least one
    declared: bool  #: its weight was written down

    @property
    def share(self) -> float:
        """Its part of the rivals' gradient, itself included."""
        return self._own / (self._own + self._rest)

    @property
    def ratio(self) -> float:
        """Its gradient over that of all others together."""
        return self._own / self._rest

    @property
    def other_weights(self) -> list[float]:
        """The magnitudes of the others' weights."""
        return [abs(other.weight) for other in self.others]

    @property
    def fair_weight(self) -> float:
        """The weight with which it would hold as much as the others do on average, all else as it is."""
        return self.component.weight * self._rest / len(self.others) / self._own

    def share_with(self, magnitude: float) -> float:
        """Return the share it would have with another weight: gradients scale with weights, so no run is needed."""
        own = self._own * magnitude / abs(self.component.weight)
        return own / (own + self._rest)

    def reweighted(self, magnitude: float) -> float:
        """Return a weight of another magnitude and the same sign."""
        return math.copysign(magnitude, self.component.weight)

    def has_odd_weight(self) -> bool:
        """Whether its weight, and not the other's, is the odd one where they are far apart.

        Of two weights, that is the one further from 1. Of three or more it is the one that stands apart from all.
        """
        if len(self.others) > 1:
            return True
        own, other = abs(self.component.weight), self.other_weights[0]
        return (own >= other) == (own * other >= 1)

    @property
    def ignores_the_data(self) -> bool:
        """Whether its value is the same for every batch while another's is not, as a penalty on the weights is."""
        varying = [spread for other in self.others if (spread := other.spread.value) is not None and spread > 1e-9]
        own = self.component.spread.value
        return bool(varying) and own is not None and own <= 1e-9

    @property
    def _own(self) -> float:
        return self.component.grad_share or 0.0

    @property
    def _rest(self) -> float:
        return sum(other.grad_share or 0.0 for other in self.others)


def standings(case: Case, gradients: ObjectiveGradients, table: ObjectiveReport | None = None) -> Iterator[Standing]:
    """Yield the standing of every rival of an objective; nothing where fewer than two are left to compare.

    Those with a share of their own in `loss.shares` are left out: what they may hold has been said.
    """
    contenders = rivals(table or balance.summarize(gradients))
    declared = dict(zip(gradients.components, gradients.declared, strict=True))
    for component in contenders if len(contenders) > 1 else ():
        if case.declared_share(gradients.name, component.name) is not None:
            continue
        yield Standing(
            objective=gradients.name,
            component=component,
            others=tuple(other for other in contenders if other is not component),
            declared=declared[component.name],
        )
