from __future__ import annotations

import math

import pytest

from lossdoctor.facts.anomalies import Anomaly
from lossdoctor.records import Location, Severity

from .cases import case, check, gradients, the_finding


@pytest.mark.parametrize("norm", [math.nan, math.inf])
def test_a_finite_value_with_a_gradient_that_is_not(norm):
    finding = the_finding("LD602", case(gradients(a=(1.0, 1.0), b=(1.0, norm))))
    assert finding.severity is Severity.ERROR
    assert finding.components == ("b",)
    assert finding.evidence["values"] == [1.0, 1.0]


def test_in_parameters_of_its_own_as_well():
    assert check("LD602", case(gradients(a=(1.0, 1.0), b=(1.0, 1.0), own={"b": math.nan})))


def test_the_backward_that_made_it_is_named_with_its_line():
    facts = gradients(a=(1.0, 1.0), b=(1.0, math.nan))
    seen = (Anomaly("total", "b", "gradient", 0, "sqrt", Location("losses.py", 7)),)
    finding = the_finding("LD602", case(facts, anomalies=seen))
    assert "backward of sqrt" in finding.message
    assert finding.location == Location("losses.py", 7)


def test_where_the_value_is_not_finite_that_is_the_fault():
    assert check("LD602", case(gradients(a=(1.0, 1.0), b=(math.nan, math.nan)))) == []


def test_huge_is_finite():
    assert check("LD602", case(gradients(a=(1.0, 1e150)))) == []
