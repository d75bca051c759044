"""How each component stands among those whose balance can be judged."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from .. import balance
from ..records import ComponentReport, ObjectiveGradients
from .base import rivals


@dataclass(frozen=True)
class Standing:
    """One component against its rivals: the components with a weight and a share that are no regularizers."""

    gradients: ObjectiveGradients
    component: ComponentReport
    share: float  #: of the rivals' gradient, itself included
    declared: bool  #: its weight was written down
    other_weights: tuple[float, ...]

    @property
    def objective(self) -> str:
        """The name of the objective."""
        return self.gradients.name

    @property
    def fair_weight(self) -> float:
        """The weight with which it would hold as much as the rivals do on average, all else as it is."""
        rest = (1 - self.share) / len(self.other_weights)
        return abs(self.component.weight) * rest / self.share if self.share else float("inf")

    def share_with(self, weight: float) -> float:
        """Return the share it would have with another weight: the gradient scales with the weight, so no run is needed."""
        scaled = self.share * weight / abs(self.component.weight)
        return scaled / (scaled + 1 - self.share)


def standings(gradients: ObjectiveGradients) -> Iterator[Standing]:
    """Yield the standing of every rival of an objective; nothing where fewer than two are left to compare."""
    contenders = rivals(balance.summarize(gradients))
    total = sum(component.grad_share or 0.0 for component in contenders)
    if len(contenders) < 2 or total == 0:
        return
    declared = dict(zip(gradients.components, gradients.declared, strict=True))
    for component in contenders:
        yield Standing(
            gradients=gradients,
            component=component,
            share=(component.grad_share or 0.0) / total,
            declared=declared[component.name],
            other_weights=tuple(other.weight for other in contenders if other is not component),
        )
