from __future__ import annotations

import pytest

from lossdoctor.config.load import parse_config
from lossdoctor.records import Severity
from lossdoctor.rules.base import Case

from .cases import after_fix, case, check, gradients, the_finding, whole

STEP = {"step": "my_project.train:losses", "weights": {"b": 2.0}}
BUILT_IN = {"components": {"a": {"term": "mse"}, "b": {"term": "l1", "weight": 2.0}, "c": {"term": "tv"}}}


def measured(**weights):
    return gradients(a=(1.0, 1.0), b=(1.0, 1.0), c=(1.0, 1.0), weights=weights)


def test_weights_that_nobody_declared_are_one_note():
    finding = the_finding("LD902", case(measured(a=None, b=2.0, c=None), config=STEP))
    assert finding.severity is Severity.NOTE
    assert finding.components == ("a", "c")
    assert finding.evidence == {"weight": 1.0}


@pytest.mark.parametrize("loss", [STEP, BUILT_IN], ids=["step", "components"])
def test_the_fix_writes_them_down(loss):
    finding = the_finding("LD902", case(measured(a=None, b=2.0, c=None), config=loss))
    fixed = after_fix(loss, finding)
    weights = fixed.loss.weights or {name: part.weight for name, part in fixed.loss.components.items()}
    assert weights == {"a": 1.0, "b": 2.0, "c": 1.0}


def test_a_declared_weight_of_1_is_fine():
    assert check("LD902", case(measured(a=1.0, b=1.0, c=1.0), config=STEP)) == []


def test_a_single_component_needs_no_weight():
    assert check("LD902", case(gradients(a=(1.0, 1.0), weights={"a": None}), config=STEP)) == []


def test_each_objective_has_its_own_note():
    both = [gradients(name, adv=(1.0, 1.0), b=(1.0, 1.0), weights={"adv": None}) for name in ("g", "d")]
    findings = check("LD902", case(*both, config=STEP))
    assert [finding.objective for finding in findings] == ["g", "d"]
    assert [finding.fix for finding in findings] == [{'loss.weights."g.adv"': 1.0}, {'loss.weights."d.adv"': 1.0}]
    assert after_fix(STEP, findings[0]).loss.weights == {"b": 2.0, "g.adv": 1.0}


def test_the_config_alone_is_enough():
    assert the_finding("LD902", Case(config=parse_config(whole(BUILT_IN)))).components == ("a", "c")
