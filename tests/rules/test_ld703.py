"""LD703: training that raises what it descends."""

import pytest

from lossdoctor.records import Severity

from .cases import check, the_finding
from .tried import curve, tried


def test_the_one_that_rises_is_named():
    finding = the_finding("LD703", tried(curve(a=(1.0, 20.0, 1e6), b=(1.0, 1.0, 0.9))))
    assert (finding.severity, finding.components) == (Severity.ERROR, ("a",))


def test_no_number_at_all():
    finding = the_finding("LD703", tried(curve(a=(1.0, 2.0, None, None), b=(1.0, 1.0, 1.0, 1.0))))
    assert finding.components == ("a",)
    assert finding.evidence["first_non_finite_step"] == 2


def test_a_number_that_comes_back():
    """Gradient scaling skips a step that overflows."""
    assert check("LD703", tried(curve(a=(1.0, None, 0.5, 0.2)))) == []


@pytest.mark.parametrize("values", [(1.0, 0.5, 0.2), (1.0, 1.9, 1.9), (-5.0, 1.0, -0.5)])
def test_what_falls_or_wanders(values):
    """A policy's loss goes around zero: it has to rise by more than it was."""
    assert check("LD703", tried(curve(a=values))) == []


def test_the_sizes_of_terms_that_cancel_count():
    assert check("LD703", tried(curve(a=(5.0, 5.0, 5.5), b=(-4.9, -4.5, -4.0)))) == []


def test_one_spike_at_the_end():
    assert check("LD703", tried(curve(a=(1.0,) * 60 + (50.0,)))) == []


def test_of_two_players_only_what_is_lost_counts():
    assert check("LD703", tried(curve(a=(1.0, 10.0, 100.0), adversarial=True))) == []
    the_finding("LD703", tried(curve(a=(1.0, None), adversarial=True)))
