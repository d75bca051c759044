from __future__ import annotations

from dataclasses import replace

import pytest

from lossdoctor.facts.parameters import ParameterFacts
from lossdoctor.records import Severity

from .cases import PHOTO, PREDICTION, case, check, gradients, operation, the_finding

STEP = {"step": "my_project.train:losses"}
DETACHED = gradients(a=(1.0, 1.0), b=(0.7, 0.0), detached=["b"])


def test_a_component_without_a_path_is_an_error():
    finding = the_finding("LD501", case(DETACHED))
    assert finding.severity is Severity.ERROR
    assert finding.components == ("b",)
    assert finding.evidence == {"value": 0.7, "attached": False}
    assert "detach the target only" in finding.remedy


def test_the_operation_that_cuts_is_named_with_its_line():
    cut = operation("detach", of="b", cuts=True, line=41)
    finding = the_finding("LD501", case(DETACHED, operations=[operation("mse_loss", PREDICTION, PHOTO, of="b"), cut]))
    assert "detach cuts it" in finding.message
    assert finding.evidence["cut_by"] == "detach"
    assert finding.location.line == 41


def test_a_cut_in_another_component_is_not_blamed():
    finding = the_finding("LD501", case(DETACHED, operations=[operation("argmax", of="a", cuts=True)]))
    assert "cut_by" not in finding.evidence


def test_what_is_attached_is_fine_even_where_its_target_is_cut():
    facts = case(gradients(a=(1.0, 1.0)), operations=[operation("detach", of="a", cuts=True)])
    assert check("LD501", facts) == []


def test_a_component_with_parameters_of_its_own_is_attached():
    assert check("LD501", case(gradients(a=(1.0, 1.0), b=(1.0, 1.0), detached=["b"], own={"b": 1.0}))) == []


def test_a_zero_gradient_is_no_missing_path():
    assert check("LD501", case(gradients(a=(1.0, 1.0), b=(1.0, 0.0)))) == []


def test_with_weight_0_it_is_not_in_the_total():
    facts = gradients(a=(1.0, 1.0), b=(0.7, 0.0), detached=["b"], weights={"b": 0.0})
    assert check("LD501", case(facts)) == []


def test_where_everything_is_frozen_that_is_said():
    facts = gradients(a=(1.0, 0.0), detached=["a"])
    finding = the_finding("LD501", case(facts, parameters=ParameterFacts(trainable=0, frozen=500)))
    assert "frozen" in finding.message
    assert "requires_grad_(True)" in finding.remedy


@pytest.mark.parametrize("objective", ["generator", "discriminator"])
def test_each_objective_is_judged_by_itself(objective):
    facts = [
        gradients(name, adv=(1.0, 1.0), detached=["adv"] if name == objective else [])
        for name in ("generator", "discriminator")
    ]
    assert the_finding("LD501", case(*facts)).objective == objective


BOTH_DETACHED = gradients(a=(1.0, 1.0), b=(0.7, 0.0), c=(0.2, 0.0), detached=["b", "c"])


def test_what_one_line_cuts_off_is_one_finding():
    cut = operation("detach", of=["b", "c"], cuts=True, line=41)
    finding = the_finding("LD501", case(BOTH_DETACHED, operations=[cut]))
    assert finding.components == ("b", "c")
    assert finding.evidence["value"] == {"b": 0.7, "c": 0.2}
    assert "b and c have no gradient path" in finding.message
    assert finding.location.line == 41


@pytest.mark.parametrize("lines", [(41, 42), (None, None)])
def test_what_two_lines_cut_off_or_nobody_knows_what_is_two(lines):
    cuts = [operation("detach", of=name, cuts=True, line=line) for name, line in zip("bc", lines)]
    assert [finding.components for finding in check("LD501", case(BOTH_DETACHED, operations=cuts))] == [("b",), ("c",)]


def test_that_everything_is_frozen_is_said_once():
    frozen = ParameterFacts(trainable=0, frozen=500)
    facts = gradients(a=(1.0, 0.0), b=(1.0, 0.0), detached=["a", "b"])
    assert the_finding("LD501", case(facts, parameters=frozen)).components == ("a", "b")


def test_what_trains_parameters_of_a_criterion_is_no_fault():
    """Learned weights outside the model, as in uncertainty weighting."""
    finding = the_finding("LD501", case(replace(DETACHED, trains_elsewhere=("b",))))
    assert finding.severity is Severity.NOTE
    assert finding.components == ("b",)
    assert "outside" in finding.message
