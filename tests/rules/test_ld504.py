"""LD504: the coefficients a total really has against those it should have."""

import pytest

from lossdoctor.diagnose import diagnose
from lossdoctor.facts.probes import JointCoefficient, Total, TotalComponent
from lossdoctor.records import Severity

from .cases import case, check, gradients, the_finding

NAMES = ("a", "b", "c")


def totals(*effective, weights=(1.0, 0.5, 0.1), residual=1e-5, joint=None, responses=(None, None, None)):
    components = tuple(
        TotalComponent(name, weight, value, response)
        for name, weight, value, response in zip(NAMES, weights, effective, responses, strict=True)
    )
    facts = gradients(a=(1.0, 1.0), b=(1.0, 1.0), c=(1.0, 1.0), weights=dict(zip(NAMES, weights, strict=True)))
    return case(facts, totals=(Total("total", components, residual, joint),))


@pytest.mark.parametrize(
    ("effective", "component", "text"),
    [
        ((1.0, 0.5, 0.0), "c", "c is missing"),
        ((1.0, 1.0, 0.1), "b", "b is counted twice (1 in place of 0.5)"),
        ((1.0, 0.5, 0.01), "c", "c has its weight applied twice (0.01 in place of 0.1)"),
        ((1.0, 0.5, 1.0), "c", "c has its weight not applied (1 in place of 0.1)"),
        ((1.0, -0.5, 0.1), "b", "b has the wrong sign"),
        ((1.0, 0.7, 0.1), "b", "b has the coefficient 0.7 in place of 0.5"),
    ],
)
def test_one_coefficient(effective, component, text):
    finding = the_finding("LD504", totals(*effective))
    assert finding.severity is Severity.ERROR
    assert finding.components == (component,)
    assert text in finding.message
    assert finding.evidence["effective"] == dict(zip(NAMES, effective, strict=True))


def test_the_sum_as_it_should_be():
    assert check("LD504", totals(1.0001, 0.4999, 0.1003)) == []


def test_a_common_factor_is_a_note():
    finding = the_finding("LD504", totals(8.0, 4.0, 0.8))
    assert finding.severity is Severity.NOTE
    assert finding.evidence["factor"] == pytest.approx(8)


def test_a_common_factor_does_not_hide_what_is_missing():
    finding = the_finding("LD504", totals(8.0, 4.0, 0.0))
    assert (finding.components, finding.severity) == (("c",), Severity.ERROR)


def test_a_weight_of_zero():
    assert check("LD504", totals(1.0, 0.5, 1e-9, weights=(1.0, 0.5, 0.0))) == []
    assert the_finding("LD504", totals(1.0, 0.5, 0.3, weights=(1.0, 0.5, 0.0))).components == ("c",)


def test_what_belongs_to_no_component():
    finding = the_finding("LD504", totals(1.0, 0.5, 0.1, residual=0.4))
    assert finding.components == NAMES
    assert "40 % of its gradient belongs to no component" in finding.message


def test_components_that_cannot_be_told_apart():
    alike = JointCoefficient(("b", "c"), 1.0)
    assert check("LD504", totals(1.0, None, None, joint=alike)) == []
    finding = the_finding("LD504", totals(1.0, None, None, joint=JointCoefficient(("b", "c"), 2.0)))
    assert finding.components == ("b", "c")
    assert "together have 2 times" in finding.message


def test_a_square_that_a_weight_of_one_hides():
    finding = the_finding("LD504", totals(1.0, 0.5, 0.1, responses=(3.0, 1.0, 1.0)))
    assert finding.components == ("a",)
    assert "in proportion" in finding.message


def test_a_weight_that_is_ignored_is_one_finding():
    found, _ = diagnose(totals(1.0, 0.5, 1.0, responses=(1.0, 1.0, 0.0)))
    assert [(f.code, f.explained_by) for f in found if f.components == ("c",)] == [("LD507", None), ("LD504", "LD507")]
