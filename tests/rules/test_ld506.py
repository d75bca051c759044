from __future__ import annotations

import pytest

from lossdoctor.config.load import parse_config
from lossdoctor.records import Severity
from lossdoctor.rules.base import Case

from .cases import after_fix, case, check, gradients, the_finding, whole

STEP = {"step": "my_project.train:losses"}
ZERO = gradients(a=(1.0, 1.0), b=(1.0, 1.0), weights={"b": 0.0})
RAMP = {"from": 1.0, "to": 0.0, "over": 100}


def test_a_weight_of_0_is_a_warning():
    finding = the_finding("LD506", case(ZERO))
    assert finding.severity is Severity.WARNING
    assert finding.components == ("b",)
    assert finding.remedy


def test_a_tiny_weight_is_not_0():
    assert check("LD506", case(gradients(a=(1.0, 1.0), b=(1.0, 1.0), weights={"b": 1e-300}))) == []


def test_the_remedy_names_the_key():
    finding = the_finding("LD506", case(ZERO, config={**STEP, "weights": {"b": 0}}))
    assert "loss.weights.b" in finding.remedy


@pytest.mark.parametrize(
    "loss",
    [
        {**STEP, "weights": {"b": RAMP}},
        {**STEP, "weights": {"total.b": RAMP}},
        {"components": {"a": {"term": "mse"}, "b": {"term": "l1", "weight": {**RAMP, "from": 0.0, "to": 1.0}}}},
    ],
    ids=["fades out", "fades out, by its full name", "has not begun"],
)
def test_a_schedule_that_passes_through_0_is_meant(loss):
    assert check("LD506", case(ZERO, config=loss)) == []


@pytest.mark.parametrize(
    ("loss", "found"),
    [
        ({"components": {"a": {"term": "mse"}, "b": {"term": "l1", "weight": 0}}}, [("b",)]),
        ({"components": {"a": {"term": "mse"}, "b": {"term": "l1", "weight": RAMP}}}, []),
        ({**STEP, "weights": {"a": 0, "b": 1, "c": RAMP}}, [("a",)]),
    ],
)
def test_the_config_alone_is_enough(loss, found):
    findings = check("LD506", Case(config=parse_config(whole(loss))))
    assert [finding.components for finding in findings] == found


def test_a_built_in_component_is_taken_out_with_all_that_is_said_of_it():
    loss = {
        "components": {"a": {"term": "mse"}, "b": {"term": "l1", "weight": 0}},
        "roles": {"b": "regularizer"},
        "shares": {"a": 0.9, "total.b": 0.1},
    }
    fixed = after_fix(loss, the_finding("LD506", case(ZERO, config=loss))).loss
    assert list(fixed.components) == ["a"]
    assert fixed.roles == {}
    assert fixed.shares == {"a": 0.9}


def test_what_the_user_s_code_computes_stays():
    assert the_finding("LD506", case(ZERO, config={**STEP, "weights": {"b": 0}})).fix is None
