"""LD702: what rises while its total falls."""

import pytest

from lossdoctor.records import Severity

from .cases import check, the_finding
from .tried import curve, point, tried


def facts(values, norms=(1.0, 1.0, 1.0), totals=(10.0, 5.0, 1.0), **more):
    """b takes these values and gradients, a is what makes the total fall."""
    rows = list(zip(totals, values, norms, strict=True))
    points = [point(step, a=(total, 1.0), b=(value, norm)) for step, (total, value, norm) in enumerate(rows)]
    return tried(curve(a=totals, b=values, **more), points=points)


def test_a_component_that_rises_while_the_total_falls():
    finding = the_finding("LD702", facts((1.0, 1.5, 2.0)))
    assert (finding.severity, finding.components) == (Severity.WARNING, ("b",))
    assert (finding.evidence["start"], finding.evidence["end"]) == (1.0, 2.0)


@pytest.mark.parametrize(
    "values", [(1.0, 0.5, 0.1), (1.0, 1.01, 1.05), (1.0, 0.9, 2.0)], ids=["falls", "hardly rises", "wanders"]
)
def test_what_does_not_rise(values):
    assert check("LD702", facts(values)) == []


def test_below_zero_rising_is_rising():
    the_finding("LD702", facts((-2.0, -1.0, -0.5)))


def test_a_component_at_its_own_minimum_can_only_rise():
    """The KL term of a VAE at the start."""
    assert check("LD702", facts((0.001, 0.5, 0.6), norms=(1e-4, 0.3, 0.4))) == []


def test_a_total_that_does_not_fall():
    assert check("LD702", facts((1.0, 1.5, 2.0), totals=(10.0, 9.9, 9.8))) == []


def test_two_players():
    assert check("LD702", facts((1.0, 1.5, 2.0), adversarial=True)) == []


def test_two_measurements_are_no_trajectory():
    points = [point(0, a=(10.0, 1.0), b=(1.0, 1.0)), point(9, a=(1.0, 1.0), b=(2.0, 1.0))]
    assert check("LD702", tried(curve(a=(10.0, 1.0), b=(1.0, 2.0)), points=points)) == []
