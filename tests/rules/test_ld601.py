from __future__ import annotations

import math

import pytest

from lossdoctor.facts.anomalies import Anomaly
from lossdoctor.records import Location, Severity

from .cases import case, check, gradients, the_finding

NAN = gradients(a=(1.0, 1.0), b=((math.nan, 2.0), math.nan))


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_value_that_is_not_finite_is_an_error(value):
    finding = the_finding("LD601", case(gradients(a=(1.0, 1.0), b=(value, math.nan))))
    assert finding.severity is Severity.ERROR
    assert finding.components == ("b",)


def test_one_batch_is_enough():
    assert the_finding("LD601", case(NAN)).evidence["values"] == ["nan", "2"]


def test_a_batch_that_did_not_return_it_is_shown_as_that():
    finding = the_finding("LD601", case(gradients(a=(1.0, 1.0), b=((None, math.inf), math.nan))))
    assert finding.evidence["values"] == ["absent", "inf"]


def test_the_first_operation_is_named_with_its_line():
    seen = [
        Anomaly("total", "b", "gradient", 0, "sqrt", Location("losses.py", 1)),
        Anomaly("total", "b", "value", 0, "log", Location("losses.py", 7)),
    ]
    finding = the_finding("LD601", case(NAN, anomalies=tuple(seen)))
    assert "first made by log" in finding.message
    assert finding.location == Location("losses.py", 7)


def test_the_anomaly_of_another_component_is_not_blamed():
    finding = the_finding("LD601", case(NAN, anomalies=(Anomaly("total", "a", "value", 0, "log"),)))
    assert finding.evidence["operation"] is None


def test_a_gradient_that_is_not_finite_is_another_fault():
    assert check("LD601", case(gradients(a=(1.0, 1.0), b=(1.0, math.nan)))) == []


def test_a_component_that_a_batch_did_not_return_is_no_fault():
    assert check("LD601", case(gradients(a=(1.0, 1.0), b=((None, 2.0), 1.0)))) == []


def test_huge_is_finite():
    assert check("LD601", case(gradients(a=(1e300, 1.0)))) == []
