"""LD206: one channel of a comparison drowns the others."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, ClassVar

from ..records import Finding, Severity
from .base import Case, Rule, percent
from .distances import data_side
from .occurrences import Occurrence, is_weighted, is_whole, occurrences
from .origins import came_through_layers

if TYPE_CHECKING:
    from ..facts.operands import Operand, Operation, Slope
    from ..facts.statistics import Statistics

#: Distances whose gradient grows with the difference. That of an absolute difference is the same in every unit.
_SQUARES = frozenset({"mse_loss", "squared difference"})

#: Spectra have bands of very different strength that are one quantity in one unit.
_SPECTRA = frozenset({"stft", "rfft", "fft_rfft", "mel_scale", "MelScale"})


@dataclass(frozen=True)
class Drowned:
    """Channels that hardly count beside others in one comparison."""

    operation: str
    small: tuple[int, ...]
    large: tuple[int, ...]
    share: float = field(compare=False)  #: of the gradient, of the small ones together
    scales: tuple[float, float] = field(compare=False)  #: largest difference in the small ones, least in the large


class ChannelScale(Rule):
    """Inside one component some channels are in a unit so much larger that the others do not count.

    Millimetres and a unit quaternion in one vector, a price beside a rate, degrees beside metres: the mean of squared
    differences is that of the large channel, and its gradient, too. The component falls, and the small channels are
    never learnt. No balance between components shows it, for it is one component.

    Recognised in squared differences along the second dimension, where the target is
    data. The difference of a channel is estimated from the statistics of both sides (means and variances, which an
    untrained prediction does not share with its target); channels whose target never changes are left out. Reported
    where two groups of channels lie more than a factor of `gap` apart, and the smaller ones hold, together, less than
    `least_share` of the gradient at the comparison. An absolute difference has the same gradient in every unit and is
    left alone, as are features and teachers, the bands of a spectrum, and differences that are masked. Of weighted
    ones, as by latitude or by time step, it is supposed that the smaller channels have the largest of the weights and
    the others the least: only what they cannot make up for is reported.

    Remedy: scale every channel by its own standard deviation, on both sides, or make the heads components with a weight
    of their own.

    Options: `gap` (100) between the two groups, `least_share` (0.01), twice what starves a component (LD102).
    """

    code: ClassVar[str] = "LD206"
    name: ClassVar[str] = "channel-scale"
    severity: ClassVar[Severity] = Severity.WARNING
    requires: ClassVar[tuple[str, ...]] = ("gradients", "operations")
    explains: ClassVar[tuple[str, ...]] = ("LD101", "LD104")
    overshadows: ClassVar[tuple[str, ...]] = ("LD102", "LD104")

    gap: float = 100.0
    least_share: float = 0.01

    def check(self, case: Case) -> Iterator[Finding]:
        """Yield a finding for every comparison of channels of which some drown the others."""
        for found in occurrences(case, self._drowned):
            yield self._report(found)

    def _drowned(self, operation: Operation) -> Drowned | None:
        leeway = _leeway(operation)
        scales = _scales(operation) if leeway is not None else {}
        ordered = sorted(scales, key=lambda channel: scales[channel])
        gaps = [scales[b] / scales[a] for a, b in pairwise(ordered)]
        if leeway is None or not gaps or max(gaps) < self.gap * leeway:
            return None
        cut = gaps.index(max(gaps)) + 1
        small, large = ordered[:cut], ordered[cut:]
        norms = [math.hypot(*(scales[channel] for channel in group)) for group in (small, large)]
        share = norms[0] * leeway / (norms[0] * leeway + norms[1])
        if share >= self.least_share:
            return None
        bounds = scales[small[-1]], scales[large[0]]
        return Drowned(operation.name, tuple(sorted(small)), tuple(sorted(large)), share, bounds)

    def _report(self, found: Occurrence[Drowned]) -> Finding:
        cause = found.cause
        small, large = _channels(cause.small), _channels(cause.large)
        return self.finding(
            found.components,
            f"{found.does('compare')} {large} and {small} in one {cause.operation}, with differences of "
            f"{cause.scales[1]:.3g} and more beside {cause.scales[0]:.3g} and less: {small} get "
            f"{percent(cause.share)} of its gradient",
            objective=found.objective,
            evidence={
                "operation": cause.operation,
                "small_channels": list(cause.small),
                "large_channels": list(cause.large),
                "share_of_the_small": cause.share,
                "largest_difference_of_the_small": cause.scales[0],
                "least_difference_of_the_large": cause.scales[1],
            },
            remedy="Divide every channel by its own standard deviation on both sides, or compare them in components "
            "of their own, each with a weight.",
            location=found.location,
        )


def _leeway(operation: Operation) -> float | None:
    """Return how much more the weights make of one element than of another; None where that is not known."""
    if is_whole(operation):
        return 1.0
    slopes = operation.slopes.values()
    if not is_weighted(operation) or not slopes or any(slope.partial or _changes_sign(slope) for slope in slopes):
        return None
    return max(max(abs(s.minimum), abs(s.maximum)) / min(abs(s.minimum), abs(s.maximum)) for s in slopes)


def _changes_sign(slope: Slope) -> bool:
    return slope.minimum < 0 < slope.maximum


def _scales(operation: Operation) -> dict[int, float]:
    """Return the root mean square of the difference in every channel whose target changes; nothing if it says nothing.

    Of two sides that know nothing of each other variances add up.
    """
    data = data_side(operation)
    if operation.name not in _SQUARES or data is None or _is_made(data):
        return {}
    prediction = next(operand for operand in operation.operands[:2] if operand is not data)
    if not 1 < len(data.channels) == len(prediction.channels):
        return {}
    pairs = enumerate(zip(prediction.channels, data.channels, strict=True))
    return {channel: _difference(p, t) for channel, (p, t) in pairs if t.minimum < t.maximum}


def _difference(prediction: Statistics, target: Statistics) -> float:
    return math.hypot(prediction.mean - target.mean, prediction.std, target.std)


def _is_made(data: Operand) -> bool:
    return came_through_layers(data) or any(name.removesuffix("()") in _SPECTRA for name in data.origin)


def _channels(channels: tuple[int, ...]) -> str:
    """Return channels as prose: "channel 3", "channels 0–2", "48 channels"."""
    if len(channels) == 1:
        return f"channel {channels[0]}"
    if channels == tuple(range(channels[0], channels[-1] + 1)):
        return f"channels {channels[0]}–{channels[-1]}"
    return f"channels {', '.join(map(str, channels))}" if len(channels) < 6 else f"{len(channels)} channels"
