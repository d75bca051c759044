"""LD603: what half precision loses, an error where it is configured."""

import dataclasses

import pytest

from lossdoctor.facts.probes import HalfPrecision
from lossdoctor.records import Location, Severity

from .cases import case, check, gradients

LINE = Location("losses.py", 7)
FACTS = gradients(energy=(1.0, 1.0), l1=(1.0, 1.0))
OVERFLOW = HalfPrecision(
    "total",
    "energy",
    "fp16",
    False,
    "value",
    "not finite",
    True,
    0.1,
    largest_result=2.5e5,
    operation="square",
    location=LINE,
)
ROUNDED = dataclasses.replace(OVERFLOW, precision="bf16", by_range=False)
VANISHED = dataclasses.replace(
    OVERFLOW,
    where="gradient",
    problem="zero",
    largest_gradient=1e-13,
    largest_result=None,
    operation=None,
    location=None,
)


def test_a_note_where_nobody_asked_for_it():
    (finding,) = check("LD603", case(FACTS, half_precision=(OVERFLOW,)))
    assert (finding.severity, finding.components, finding.location) == (Severity.NOTE, ("energy",), LINE)
    assert "2.5e+05 and fp16 ends at 65504" in finding.message
    assert finding.evidence["reason"] == "range"


def test_an_error_where_it_is_configured():
    (finding,) = check("LD603", case(FACTS, half_precision=(dataclasses.replace(OVERFLOW, configured=True),)))
    assert finding.severity is Severity.ERROR


def test_one_finding_for_both_precisions():
    both = (dataclasses.replace(OVERFLOW, by_range=False), ROUNDED)
    (finding,) = check("LD603", case(FACTS, half_precision=both))
    assert finding.evidence["precisions"] == {"fp16": "value not finite", "bf16": "value not finite"}


def test_the_configured_one_stands_by_itself():
    both = (dataclasses.replace(OVERFLOW, configured=True), ROUNDED)
    severities = {finding.severity for finding in check("LD603", case(FACTS, half_precision=both))}
    assert severities == {Severity.ERROR, Severity.NOTE}


def test_a_gradient_that_vanishes():
    (finding,) = check("LD603", case(FACTS, half_precision=(VANISHED,)))
    assert "is zero in fp16" in finding.message
    assert finding.evidence["largest_gradient"] == 1e-13


def test_a_weight_of_zero_is_nobody_s_hazard():
    facts = gradients(energy=(1.0, 1.0), l1=(1.0, 1.0), weights={"energy": 0.0})
    assert check("LD603", case(facts, half_precision=(OVERFLOW,))) == []
    assert check("LD603", case(FACTS, half_precision=())) == []


@pytest.mark.parametrize(("failing", "sound"), [((OVERFLOW,), "bf16"), ((OVERFLOW, ROUNDED), "fp32")])
def test_another_precision_is_a_cure(failing, sound):
    """The fastest in which every component is sound; nothing where the precision is none that is configured."""
    facts = tuple(dataclasses.replace(fact, configured=fact is OVERFLOW) for fact in failing)
    config = {"step": "my_project.train:losses"}
    found = {f.severity: f for f in check("LD603", case(FACTS, half_precision=facts, config=config))}
    assert found.pop(Severity.ERROR).fix == {"measure.precision": sound}
    assert all(finding.fix is None for finding in found.values())
