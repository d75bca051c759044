"""Whether one way of training beats another: the same seeds in both arms, so that every difference is a pair's.

Seeds differ by more than arms do: by their initial weights and the order of their batches, both of which the arms of a
seed share. So what is judged is the mean of the differences within the seeds, and its interval is Student's t, which
is made for few differences of unknown spread: with three of them the mean has to be 2.5 times their standard deviation.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

#: Two-sided 95 % quantiles of Student's t for 1, 2, … degrees of freedom (any table of the distribution, e.g.
#: https://www.itl.nist.gov/div898/handbook/eda/section3/eda3672.htm); beyond them the normal distribution's.
_T = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131)
_NORMAL = 1.960


class Outcome(str, Enum):
    """What a comparison comes to."""

    PROVED = "proved"
    NO_DIFFERENCE = "no difference"
    WORSE = "worse"


@dataclass(frozen=True)
class Interval:
    """A mean with its 95 % confidence interval."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True)
class Measure:
    """One quantity at the end of every run, by seed, in both arms."""

    name: str
    as_is: tuple[float, ...]
    fixed: tuple[float, ...]
    more_is_better: bool

    @property
    def gains(self) -> tuple[float, ...]:
        """By how much the fixed arm is better, seed by seed; negative where it is worse."""
        sign = 1.0 if self.more_is_better else -1.0
        return tuple(sign * (b - a) for a, b in zip(self.as_is, self.fixed, strict=True))

    @property
    def gain(self) -> Interval | None:
        """The mean gain; None with fewer than two seeds, or where a run did not end in finite numbers."""
        return interval(self.gains)


def interval(numbers: Sequence[float]) -> Interval | None:
    """Return the mean of numbers and its 95 % interval by Student's t; None where there is no telling."""
    if len(numbers) < 2 or not all(map(math.isfinite, numbers)):
        return None
    mean = statistics.fmean(numbers)
    t = _T[len(numbers) - 2] if len(numbers) - 2 < len(_T) else _NORMAL
    half = t * statistics.stdev(numbers) / math.sqrt(len(numbers))
    return Interval(mean, mean - half, mean + half)


def judge(measure: Measure) -> Outcome:
    """Return proved where the gain is above zero with 95 % confidence, worse where it is below, else no difference.

    A fixed arm that does not end in finite numbers where the other does is worse, and the other way round proved.
    """
    finite_as_is, finite_fixed = (all(map(math.isfinite, arm)) for arm in (measure.as_is, measure.fixed))
    if finite_as_is != finite_fixed:
        return Outcome.PROVED if finite_fixed else Outcome.WORSE
    gain = measure.gain
    if gain is None or gain.low <= 0 <= gain.high:
        return Outcome.NO_DIFFERENCE
    return Outcome.PROVED if gain.low > 0 else Outcome.WORSE


def progress(start: float, as_is: float, fixed: float) -> tuple[float, float]:
    """Return how far a value has fallen in each arm, as a part of the larger change of the two.

    Units cancel, so components of any kind can be averaged: 1 and 0.4 say that one arm brought the component down by
    all that was seen, the other by 40 % of that; negative numbers say that it rose. Both are 0 where nothing moved. NaN
    where an arm did not end in a number.
    """
    falls = start - as_is, start - fixed
    largest = max((abs(fall) for fall in falls if math.isfinite(fall)), default=math.nan)
    return (falls[0] / largest, falls[1] / largest) if largest else (0.0, 0.0)
