"""LD304: what is ignored gets gradient, or shrinks the mean."""

from dataclasses import replace

import pytest

from lossdoctor.facts.probes import Padding
from lossdoctor.records import Severity
from lossdoctor.rules.ld304_padding_counted import dilution

from .cases import case, check, gradients, the_finding

HONOURED = Padding("total", "mel", "beyond lengths", 0.25, 0.0, 2.0, (2.0, 2.0))


def examined(*paddings, weight=1.0):
    return case(gradients(mel=(2.0, 1.0), kl=(1.0, 1.0), weights={"mel": weight}), paddings=paddings)


def test_gradient_at_ignored_elements():
    finding = the_finding("LD304", examined(replace(HONOURED, slope=0.8, appended=())))
    assert (finding.severity, finding.components) == (Severity.WARNING, ("mel",))
    assert "25 % of the elements, beyond lengths, get gradient, 80 % of what the others get" in finding.message


def test_a_mean_over_all_elements():
    finding = the_finding("LD304", examined(replace(HONOURED, appended=(1.0, 2 / 3))))
    assert "diluted" in finding.message
    assert finding.evidence["value_with_ignored_elements_appended"] == [1.0, 2 / 3]


@pytest.mark.parametrize(
    ("appended", "part"),
    [
        ((1.0, 2 / 3), 2.0),  # all of it
        ((1.5, 4 / 3), 1.0),  # half of it, beside what stays
        ((2.0, 2.0), None),
        ((2.4, 2.6), None),  # grows: the longer batch means something else
        ((1.5, 1.5), None),  # shrinks, but not as a mean does
        ((1.0,), None),
        ((float("nan"), 1.0), None),
    ],
)
def test_the_part_that_shrinks_as_a_mean_does(appended, part):
    assert dilution(replace(HONOURED, appended=appended)) == (None if part is None else pytest.approx(part))


def test_a_negative_mean_is_diluted_too():
    assert dilution(replace(HONOURED, value=-2.0, appended=(-1.0, -2 / 3))) == pytest.approx(2.0)


def test_silent_where_nothing_counts():
    assert check("LD304", examined(HONOURED)) == []
    assert check("LD304", examined(replace(HONOURED, appended=(1.995, 1.9933)))) == []
    assert check("LD304", examined(replace(HONOURED, slope=0.8), weight=0.0)) == []


def test_a_component_is_reported_once():
    other = replace(HONOURED, mark="mask is 0", slope=0.9)
    assert len(check("LD304", examined(replace(HONOURED, slope=0.8), other))) == 1
