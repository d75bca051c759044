"""The verdict of a paired comparison, against published quantiles and by symmetry."""

import math

import pytest

from lossdoctor.prescription.comparison import Measure, Outcome, interval, judge, progress


def test_the_interval_of_a_textbook():
    """Mean 3, standard deviation 1.5811, n = 5: ± 2.776 · 1.5811 / √5 = ± 1.963."""
    found = interval([1, 2, 3, 4, 5])
    assert (found.mean, found.low, found.high) == pytest.approx((3, 3 - 1.963, 3 + 1.963), abs=1e-3)


@pytest.mark.parametrize(
    ("as_is", "fixed", "outcome"),
    [
        ((10.0, 11.0, 12.0), (12.0, 13.1, 14.0), Outcome.PROVED),  # every seed gains about two
        ((10.0, 11.0, 12.0), (13.0, 10.0, 12.1), Outcome.NO_DIFFERENCE),
        ((10.0, 11.0, 12.0), (10.0, 11.0, 12.0), Outcome.NO_DIFFERENCE),
        ((10.0,), (12.0,), Outcome.NO_DIFFERENCE),
        ((math.nan, 11.0), (12.0, 13.0), Outcome.PROVED),
        ((math.nan, 11.0), (math.nan, 13.0), Outcome.NO_DIFFERENCE),
    ],
)
def test_verdicts_and_their_mirror_images(as_is, fixed, outcome):
    mirrored = {Outcome.PROVED: Outcome.WORSE, Outcome.WORSE: Outcome.PROVED}.get(outcome, outcome)
    assert judge(Measure("psnr", as_is, fixed, more_is_better=True)) is outcome
    assert judge(Measure("psnr", fixed, as_is, more_is_better=True)) is mirrored
    if all(map(math.isfinite, as_is)):
        assert judge(Measure("error", as_is, fixed, more_is_better=False)) is mirrored


def test_pairs_not_means():
    """Seeds that differ by far more than the arms do still prove a gain that every one of them shows."""
    assert judge(Measure("psnr", (0.0, 50.0, 100.0), (1.0, 51.1, 100.9), more_is_better=True)) is Outcome.PROVED


def test_progress_has_no_unit():
    assert progress(10.0, 6.0, 2.0) == (0.5, 1.0)
    assert progress(1e4, 6e3, 2e3) == (0.5, 1.0)
    assert progress(-1.0, -1.0, -3.0) == (0.0, 1.0)
    assert progress(1.0, 3.0, 0.0) == (-1.0, 0.5)
    assert progress(1.0, 1.0, 1.0) == (0.0, 0.0)
