"""What rules say of a config alone, beside what they measure: the same causes, with wider limits."""

from __future__ import annotations

import pytest

from lossdoctor.config.load import parse_config
from lossdoctor.diagnose import diagnose
from lossdoctor.records import Severity
from lossdoctor.rules.base import Case

from .cases import after_fix, case, expect, gradients, whole

RAW = {"term": "mse", "space": "lab", "normalize": False}
FEATURES = {"term": "perceptual", "pretrained": "random", "weight": 1.0}


def founding(weight=1.0, **features):
    return {"components": {"features": {**FEATURES, **features}, "lab": {**RAW, "weight": weight}}}


class TestColorSpaces:
    @pytest.mark.parametrize(
        ("weight", "severity"),
        [(1.0, Severity.ERROR), (0.1, Severity.WARNING), (1e-3, Severity.NOTE), (1e-6, Severity.NOTE)],
    )
    def test_raw_units_are_judged_by_the_ratio_that_can_be_expected(self, weight, severity):
        (finding,) = expect("LD201", founding(weight))
        assert (finding.severity, finding.components) == (severity, ("lab",))
        assert "can be expected" in finding.message

    def test_the_fix_normalises(self):
        (finding,) = expect("LD201", founding())
        assert after_fix(founding(), finding).loss.components["lab"].normalize is True

    def test_alone_raw_units_harm_nobody(self):
        (finding,) = expect("LD201", {"components": {"lab": {**RAW, "weight": 1.0}}})
        assert finding.severity is Severity.NOTE

    def test_spaces_that_are_scaled_already_are_fine(self):
        for space in ("rgb", "ycbcr", "yuv", "xyz", "gray"):
            parts = {"features": FEATURES, "x": {"term": "mse", "space": space, "normalize": False, "weight": 1.0}}
            assert expect("LD201", {"components": parts}) == []

    def test_it_explains_what_follows(self):
        findings, _ = diagnose(Case(config=parse_config(whole(founding()))))
        assert [(f.code, f.explained_by) for f in findings] == [("LD201", None), ("LD903", "LD201")]


class TestBudgets:
    def test_weights_that_contradict_the_budget_are_an_error(self):
        loss = {**founding(), "shares": {"features": 0.5, "lab": 0.5}}
        (finding,) = expect("LD105", loss)
        assert (finding.severity, finding.components) == (Severity.ERROR, ("features",))
        assert finding.evidence["declared"] == {"features": 0.5, "lab": 0.5}
        assert finding.evidence["expected"]["features"] < 0.001
        assert finding.fix is None  # the weights that meet it take a measurement

    def test_what_may_well_be_met_is_fine(self):
        two = {"a": {"term": "l1", "weight": 10.0}, "b": {"term": "gradient", "weight": 1.0}}
        assert expect("LD105", {"components": two, "shares": {"a": 0.5, "b": 0.5}}) == []
        assert expect("LD105", {"components": two}) == []


class TestOverlaps:
    def test_channels_that_are_part_of_others(self):
        parts = {"lab": {"term": "mse", "space": "lab"}, "ab": {"term": "mse", "space": "lab", "channels": ["a", "b"]}}
        (finding,) = expect("LD106", {"components": parts})
        assert (finding.severity, finding.components) == (Severity.WARNING, ("lab", "ab"))
        assert after_fix({"components": parts}, finding).loss.components["lab"].channels == ["L"]

    def test_the_same_twice_whatever_the_weights_and_the_order_of_channels(self):
        one = {"term": "l1", "space": "lab", "channels": ["a", "b"], "weight": 1.0}
        two = {**one, "channels": ["b", "a"], "weight": 5.0, "normalize": True}
        (finding,) = expect("LD106", {"components": {"one": one, "two": two}})
        assert finding.components == ("one", "two")

    @pytest.mark.parametrize(
        "other",
        [
            {"term": "mse"},
            {"term": "l1", "space": "gray"},
            {"term": "l1", "weight": 0.0},
            {"term": "l1", "reduction": "sum"},
        ],
        ids=str,
    )
    def test_what_differs_is_no_overlap(self, other):
        assert expect("LD106", {"components": {"l1": {"term": "l1"}, "other": other}}) == []


def test_hue_is_known_by_its_channel():
    hsv = {"term": "l1", "space": "hsv", "weight": 1.0}
    (finding,) = expect("LD205", {"components": {"hue": hsv, "value": {**hsv, "channels": ["V"]}}})
    assert finding.components == ("hue",)


def test_no_built_in_component_is_a_divergence():
    assert expect("LD303", founding()) == []


def test_what_was_measured_is_not_expected():
    assert case(gradients(features=(1.0, 1.0), lab=(1.0, 1.0)), config=founding()).expected is None


def test_rules_that_need_a_measurement_are_skipped_with_the_reason():
    _, skipped = diagnose(Case(config=parse_config(whole(founding()))))
    assert {"LD101", "LD302", "LD501"} <= {rule.code for rule in skipped}
    assert not {"LD105", "LD106", "LD201", "LD205", "LD301", "LD303", "LD903"} & {rule.code for rule in skipped}
    assert {rule.reason for rule in skipped} == {"needs a measurement", "needs a trial"}
