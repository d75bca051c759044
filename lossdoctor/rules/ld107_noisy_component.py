"""LD107: a component whose gradient is mostly noise."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar

from ..records import ComponentReport, Finding, Severity
from .base import Case, Rule, percent

if TYPE_CHECKING:
    from ..facts.gradients import ObjectiveGradients

#: Fewer batches say nothing about a spread.
_LEAST_BATCHES = 3


class NoisyComponent(Rule):
    """The component's gradient points in another direction in every batch, and its norm swings by more than its mean.

    What it gives the weights is noise: returns without a baseline or a scale, importance weights or 1/SNR weights with
    a heavy tail, a reward that now and then is a thousand times the usual one, a division by something near zero. A
    single batch then moves the weights further than all others together, in a direction that the next one does not
    confirm, while this component holds most of the gradient: the signal of the others drowns in it.

    Judged by the gradient alone, never by the spread of the value, which any loss has whose samples differ. Two things
    have to come together over at least three batches. The mean cosine between the gradients of any two batches is below
    `agreement`: directions that have nothing in common give 0, the components of healthy setups mostly 0.1 to 1 at the
    start, where all samples ask for the same. That alone is no fault, as of a classifier whose easy part is learned.
    And the norm's standard deviation is above `swing` times its mean: healthy components stay below 0.7, while a norm
    that comes from a single batch of n gives √n. Components that hold less than `least_share` of the gradient drown
    nothing.

    Remedy: lower the variance: a baseline and normalised advantages, weights that are clamped or normalised over the
    batch, a larger batch for this component, or clip its gradient.

    Options: `agreement` (0.1), `swing` (1.0), `least_share` (0.3) of the gradient.
    """

    code: ClassVar[str] = "LD107"
    name: ClassVar[str] = "noisy-component"
    severity: ClassVar[Severity] = Severity.WARNING
    requires: ClassVar[tuple[str, ...]] = ("gradients",)
    overshadows: ClassVar[tuple[str, ...]] = ("LD102",)

    agreement: float = 0.1
    swing: float = 1.0
    least_share: float = 0.3

    def check(self, case: Case) -> Iterator[Finding]:
        """Yield a finding for every component whose gradient is random in direction and norm."""
        for gradients, objective in zip(case.gradients, case.objectives, strict=True):
            for component in objective.components:
                agreement = _agreement(gradients, component.name)
                if agreement is not None and self._is_noise(component, agreement):
                    yield self._report(case, gradients, component, agreement)

    def _is_noise(self, component: ComponentReport, agreement: float) -> bool:
        swing, share = component.spread.grad_norm, component.grad_share
        return (
            agreement < self.agreement
            and swing is not None
            and swing > self.swing
            and share is not None
            and share >= self.least_share
        )

    def _report(
        self, case: Case, gradients: ObjectiveGradients, component: ComponentReport, agreement: float
    ) -> Finding:
        name, swing = component.name, component.spread.grad_norm or 0.0
        return self.finding(
            [name],
            f"the gradient of {name} is noise: over {len(gradients.values)} batches its norm varies by "
            f"{100 * swing:.3g} % of its mean and its directions have a cosine of {agreement:.2f}, while it holds "
            f"{percent(component.grad_share or 0.0)} of the gradient",
            objective=gradients.name,
            evidence={
                "mean_cosine_between_batches": agreement,
                "spread_of_the_norm": swing,
                "grad_share": component.grad_share,
                "batches": len(gradients.values),
            },
            remedy=f"Lower the variance of {name}: a baseline, weights that are clamped or normalised over the batch, "
            "a larger batch, or a clipped gradient.",
            location=case.locate_component(name),
        )


def _agreement(gradients: ObjectiveGradients, component: str) -> float | None:
    """Return the mean cosine between batches, None where too few of them say anything."""
    if len(gradients.values) < _LEAST_BATCHES or not gradients.agreement:
        return None
    return gradients.agreement[gradients.components.index(component)]
