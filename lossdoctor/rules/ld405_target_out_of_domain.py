"""LD405: targets that a loss is not defined for."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from ..records import Finding, Severity
from .base import Case, Rule
from .occurrences import Occurrence, is_whole, occurrences
from .origins import made_by

if TYPE_CHECKING:
    from ..facts.operands import Operand, Operation
    from ..facts.statistics import Statistics


class Domain(NamedTuple):
    """The targets that a loss is defined for."""

    least: float
    most: float
    description: str
    consequence: str  #: of targets outside
    forgives: bool = False  #: single values a little beyond do no harm


_LOGITS_GROW = "beyond it the loss falls without end as the logits grow"
_PROBABILITY = Domain(0, 1, "between 0 and 1", _LOGITS_GROW, forgives=True)
_COUNT = Domain(0, math.inf, "counts, not below 0", "below it the loss falls without end as the rate vanishes")
_DISTRIBUTION = Domain(0, math.inf, "probabilities, not below 0", "the logarithm of a negative number is no number")
_LOGARITHMS = Domain(-math.inf, 0, "log-probabilities, not above 0", "they are taken for probabilities above 1")

#: Of the losses that have one domain.
_DOMAINS = {
    "binary_cross_entropy": _PROBABILITY,
    "binary_cross_entropy_with_logits": _PROBABILITY,
    "multilabel_soft_margin_loss": _PROBABILITY,
    "poisson_nll_loss": _COUNT,
}

#: Losses whose labels are −1 and 1, where a label of 0 gives no gradient.
_SIGNED = frozenset({"soft_margin_loss", "hinge_embedding_loss", "cosine_embedding_loss", "margin_ranking_loss"})

#: Beyond this a probability or a count is no rounding error.
_ROUNDING = 1e-6


@dataclass(frozen=True)
class Outside:
    """Targets outside the domain of a loss."""

    loss: str
    description: str  #: of the domain
    consequence: str
    swapped: bool  #: the prediction is on the target's side
    target: Operand = field(compare=False)


class TargetOutOfDomain(Rule):
    """Targets lie outside what a loss is defined for, so its least value is not where the prediction is right.

    Binary cross-entropy is for targets from 0 to 1: with masks of 0 and 255, labels of -1 and 1, class numbers or
    standardised images it has no minimum at all. The Poisson likelihood is for counts, kl_div for probabilities (for
    their logarithms with `log_target=True`). Hinge and margin losses have labels -1 and 1: of labels 0 and 1, the
    zeros give no gradient.

    Recognised by the values of the targets. Labels that smoothing or resizing carried beyond [0, 1] by less than
    `tolerance` do no harm and are left out, and so are comparisons that weight or mask their elements, unless the
    targets have two values of which one is outside.

    Remedy: bring the targets into the domain: masks / 255, (labels + 1) / 2, `one_hot`, 2 * labels - 1; or use a loss
    for such targets.

    Options: `tolerance` (0.25), how far beyond [0, 1] labels may be; random labels up to 1.2 are an old trick of GAN
    training (ganhacks).
    """

    code: ClassVar[str] = "LD405"
    name: ClassVar[str] = "target-out-of-domain"
    severity: ClassVar[Severity] = Severity.ERROR
    requires: ClassVar[tuple[str, ...]] = ("gradients", "operations")
    explains: ClassVar[tuple[str, ...]] = ("LD403", "LD404", "LD502", "LD601", "LD602", "LD703")

    tolerance: float = 0.25

    def check(self, case: Case) -> Iterator[Finding]:
        """Yield a finding for every loss with targets outside its domain."""
        for found in occurrences(case, self._outside):
            yield self._report(found)

    def _outside(self, operation: Operation) -> Outside | None:
        target = next((operand for operand in operation.operands if operand.name == "target"), None)
        if target is None or math.isnan(target.overall.mean):
            return None
        swapped = target.requires_grad and not all(operand.requires_grad for operand in operation.operands)
        domain = _domain(operation)
        if domain is not None and self._leaves(domain, operation, target.overall):
            return Outside(operation.name, domain.description, domain.consequence, swapped, target)
        if operation.name in _SIGNED and _holds_zeros_and_ones(target):
            return Outside(operation.name, "-1 and 1", "what is labelled 0 gives no gradient", swapped, target)
        return None

    def _leaves(self, domain: Domain, operation: Operation, target: Statistics) -> bool:
        margin = self.tolerance if domain.forgives else _ROUNDING
        outside = target.minimum < domain.least - margin or target.maximum > domain.most + margin
        return outside and (is_whole(operation) or has_two_values(target))

    def _report(self, found: Occurrence[Outside]) -> Finding:
        cause, target = found.cause, found.cause.target.overall
        return self.finding(
            found.components,
            f"{found.does('give')} {cause.loss} targets in {target.minimum:.3g} … {target.maximum:.3g}, "
            f"but it is defined for {cause.description}: {cause.consequence}",
            objective=found.objective,
            evidence={
                "loss": cause.loss,
                "target": [target.minimum, target.maximum],
                "target_mean": target.mean,
                "defined_for": cause.description,
            },
            remedy=_remedy(cause),
            location=found.location,
        )


def _domain(operation: Operation) -> Domain | None:
    if operation.name == "kl_div":
        return _LOGARITHMS if operation.arguments.get("log_target") else _DISTRIBUTION
    return _DOMAINS.get(operation.name)


def _holds_zeros_and_ones(target: Operand) -> bool:
    """Whether labels are 0 and 1; the sign of a difference that is 0 where two are equal is meant to be."""
    zeros_and_ones = (target.overall.minimum, target.overall.maximum) == (0, 1)
    return target.integral and zeros_and_ones and made_by(target) != "sign"


def has_two_values(values: Statistics) -> bool:
    """Return whether values are all at their extremes, where (x − min)(x − max) vanishes: so does its mean."""
    span = values.maximum - values.minimum
    inside = (values.mean - values.minimum) * (values.maximum - values.mean) - values.std**2
    return span > 0 and abs(inside) <= 1e-4 * span**2


def _remedy(cause: Outside) -> str:
    target = cause.target.overall
    if cause.swapped:
        return f"The prediction comes first: {cause.loss}(prediction, target)."
    if cause.loss in _SIGNED:
        return "Use labels of -1 and 1: 2 * labels - 1."
    if cause.loss == "kl_div":
        logarithms = "log_target=True for log-probabilities, or " if target.maximum <= 0 else ""
        return f"Use {logarithms}softmax(target) for a target of logits."
    if 200 < target.maximum <= 255:
        return "Divide the masks by 255, or compare them: (mask > 127).float()."
    return "Bring the targets into the domain, or use a loss for such targets (mse_loss, cross_entropy)."
