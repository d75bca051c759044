"""LD207: targets that the output cannot reach."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from ..records import Finding, Severity
from .activations import SUPPORTS, BoundedPrediction, bounded_predictions, describe_support
from .base import Case, Rule, percent
from .occurrences import Occurrence, occurrences
from .origins import made_by

if TYPE_CHECKING:
    from ..facts.operands import Operand, Operation
    from ..facts.statistics import Statistics

#: Part of the range (of the targets' own, where the range has no end) that targets have to go beyond it. Resizing
#: overshoots by a tenth, and random labels up to 1.2 are an old trick of GAN training.
_MARGIN = 0.25


@dataclass(frozen=True)
class Unreachable:
    """An activation, and the side of its range that targets lie beyond."""

    activation: str
    below: bool  #: else above
    seen: BoundedPrediction = field(compare=False)
    targets: Statistics = field(compare=False)  #: of the channel that is worst off
    share: float = field(compare=False)  #: of the targets of that channel that lie beyond, at least


@dataclass(frozen=True)
class OneSidedLogits:
    """Logits of one sign, and labels that need the other."""

    activation: str
    positive: bool  #: else negative
    labels: Operand = field(compare=False)


class UnreachableTarget(Rule):
    """The output ends in an activation whose range leaves out a part of the targets.

    A ReLU before signed targets (the a and b of LAB, normals, standardised values), a sigmoid before targets up to 10,
    a softplus before logarithms: whatever the weights, those targets are never met, and the output sits at the end of
    its range, where the gradient vanishes. A ReLU before a binary cross-entropy with logits is the same fault: no
    logit is ever negative, so no probability ever falls below one half.

    Judged by what the last operation before the comparison can give, not by what the untrained network happens to
    give. That a part of the targets lies beyond, and not single values that resizing or noise carried there, follows
    from their distribution: they go beyond by a quarter of the range (of their own, where the range has no end), and
    mean m, deviation s and extremes of a channel put a lower bound on the share beyond [lo, hi], because
    f(x) = (x - lo)(x - hi) is positive only out there: (f(m) + s²) / max f. Or the range ends within one deviation of
    the mean and the targets go on for another. Where elements are weighted or masked, an extreme that is a whole number
    may be the mark of what is unknown (-1, 255), and is not judged.

    Remedy: end in a linear layer, or in an activation whose range holds the targets (tanh, scaled, for signed ones);
    or scale the targets to the range.

    Options: `share` (0.01), the least share of the targets that has to lie beyond.
    """

    code: ClassVar[str] = "LD207"
    name: ClassVar[str] = "unreachable-target"
    severity: ClassVar[Severity] = Severity.ERROR
    requires: ClassVar[tuple[str, ...]] = ("gradients", "operations")
    explains: ClassVar[tuple[str, ...]] = ("LD404", "LD606", "LD701")

    share: float = 0.01

    def check(self, case: Case) -> Iterator[Finding]:
        """Yield a finding for every activation with targets beyond its range."""
        for found in bounded_predictions(case, self._unreachable):
            yield self._report(found)
        for logits in occurrences(case, _one_sided_logits):
            yield self._logits(logits)

    def _logits(self, found: Occurrence[OneSidedLogits]) -> Finding:
        activation, labels = found.cause.activation, found.cause.labels.overall
        sign, side = ("negative", "below") if found.cause.positive else ("positive", "above")
        return self.finding(
            found.components,
            f"{found.does('take')} the output of {activation} for logits, which is never {sign}: no probability "
            f"falls {side} 0.5, with labels in {labels.minimum:.3g} … {labels.maximum:.3g} (mean {labels.mean:.3g})",
            objective=found.objective,
            evidence={
                "activation": activation,
                "activation_range": describe_support(activation),
                "target": [labels.minimum, labels.maximum],
                "target_mean": labels.mean,
            },
            remedy=f"Give the loss the output of the last layer itself: no {activation} in between.",
            location=found.location,
        )

    def _unreachable(self, seen: BoundedPrediction) -> Unreachable | None:
        """Return the worst of the channels that lie beyond the range."""
        if seen.misses_8_bit_images:
            return None
        least, most = seen.support
        channels = [channel for channel in seen.target_channels if seen.whole or not _may_be_marked(channel)]
        shares = [(share_beyond(channel, least, most), channel) for channel in channels]
        beyond = [
            (share, channel)
            for share, channel in shares
            if _goes_far_beyond(channel, least, most) and (share >= self.share or _goes_on_beyond(channel, least, most))
        ]
        if not beyond:
            return None
        share, targets = max(beyond, key=lambda pair: pair[0])
        return Unreachable(seen.activation, least - targets.minimum > targets.maximum - most, seen, targets, share)

    def _report(self, found: Occurrence[Unreachable]) -> Finding:
        activation, targets = found.cause.activation, found.cause.targets
        least, most = found.cause.seen.support
        limit, extreme = (least, targets.minimum) if found.cause.below else (most, targets.maximum)
        side = "below" if found.cause.below else "above"
        share = f"at least {percent(found.cause.share)} of them are" if found.cause.share >= self.share else "many are"
        return self.finding(
            found.components,
            f"{found.does('compare')} the output of {activation}, which gives nothing {side} {limit:g}, "
            f"with targets of {targets.mean:.3g} ± {targets.std:.3g} that reach {extreme:.3g}: {share} out of reach",
            objective=found.objective,
            evidence={
                "activation": activation,
                "activation_range": describe_support(activation),
                "target": [targets.minimum, targets.maximum],
                "target_mean": targets.mean,
                "target_std": targets.std,
                "share_beyond_at_least": found.cause.share,
            },
            remedy=f"End in a linear layer (no {activation}) or in an activation whose range holds the targets, "
            "or scale the targets to its range.",
            location=found.location,
        )


def _one_sided_logits(operation: Operation) -> OneSidedLogits | None:
    """Return logits that an activation keeps on one side of 0, where some of the labels lie on the other of 0.5."""
    operands = {operand.name: operand for operand in operation.operands}
    logits, labels = operands.get("input"), operands.get("target")
    if operation.name != "binary_cross_entropy_with_logits" or logits is None or labels is None:
        return None
    activation = made_by(logits)
    least, most = SUPPORTS.get(activation, (-math.inf, math.inf))
    positive, negative = least >= 0 and most > 1, most <= 0
    # What ends at 1, a sigmoid or softmax, is a double activation.
    if positive and logits.overall.minimum >= 0 and labels.overall.minimum < 0.5:
        return OneSidedLogits(activation, positive=True, labels=labels)
    if negative and logits.overall.maximum <= 0 and labels.overall.maximum > 0.5:
        return OneSidedLogits(activation, positive=False, labels=labels)
    return None


def share_beyond(values: Statistics, least: float, most: float) -> float:
    """Return a lower bound of the share of values outside [least, most], from their moments and extremes.

    f(x) = (x − lo)(x − hi) is at most 0 between lo and hi and at most f(extreme) elsewhere, so the share P with x
    outside satisfies E f ≤ P · max f (a Markov inequality). An end that the range does not have is put at the extreme.
    """
    lo = least if math.isfinite(least) else min(values.minimum, most)
    hi = most if math.isfinite(most) else max(values.maximum, least)
    highest = max((extreme - lo) * (extreme - hi) for extreme in (values.minimum, values.maximum))
    expected = (values.mean - lo) * (values.mean - hi) + values.std**2
    return min(expected / highest, 1.0) if highest > 0 and expected > 0 else 0.0


def _may_be_marked(values: Statistics) -> bool:
    return values.minimum % 1 == 0 or values.maximum % 1 == 0


def _goes_far_beyond(values: Statistics, least: float, most: float) -> bool:
    beyond = max(least - values.minimum, values.maximum - most)
    width = most - least if math.isfinite(most - least) else values.maximum - values.minimum
    return beyond > 0 and beyond >= _MARGIN * width


def _goes_on_beyond(values: Statistics, least: float, most: float) -> bool:
    """Whether the range ends within a deviation of the mean, and the values go on for another one at least."""
    below = values.mean - values.std < least and least - values.minimum >= values.std > 0
    above = values.mean + values.std > most and values.maximum - most >= values.std > 0
    return below or above
