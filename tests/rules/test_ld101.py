from __future__ import annotations

import pytest

from lossdoctor.config.schema import Schedule
from lossdoctor.records import Severity

from .cases import after_fix, case, check, gradients, the_finding

STEP = {"step": "my_project.train:losses"}


@pytest.mark.parametrize(("norm", "fires"), [(98.0, True), (97.9, False)])
def test_fires_from_98_percent_of_the_gradient(norm, fires):
    assert bool(check("LD101", case(gradients(a=(1.0, norm), b=(1.0, 100 - norm))))) == fires


def test_an_unknown_cause_is_a_warning_however_extreme():
    finding = the_finding("LD101", case(gradients(a=(1.0, 1e9), b=(1.0, 1.0))))
    assert finding.severity is Severity.WARNING
    assert finding.components == ("a",)
    assert finding.fix is None


def test_the_share_is_that_of_the_weighted_norms():
    facts = case(gradients(a=(5.0, 3.0), b=(1.0, 2.0), c=(9.0, 1.0), weights={"a": -200.0, "b": 2.0, "c": 1.0}))
    assert the_finding("LD101", facts).evidence["grad_share"] == pytest.approx(600 / (600 + 4 + 1))


def test_healthy_detector_with_a_gradient_ratio_of_247_is_no_error():
    facts = case(gradients(keypoint=(8.29, 410.0), box_reg=(0.0013, 1.66), weights={"keypoint": 1.0, "box_reg": 1.0}))
    assert the_finding("LD101", facts).severity is Severity.WARNING


@pytest.mark.parametrize(("weight", "severity"), [(1000.0, Severity.ERROR), (999.0, Severity.WARNING)])
def test_a_declared_weight_of_1000_times_the_others_is_the_cause(weight, severity):
    facts = case(gradients(a=(1.0, 1.0), b=(1.0, 1.0), weights={"a": weight, "b": 1.0}))
    assert the_finding("LD101", facts).severity is severity


def test_a_weight_that_nobody_declared_is_nobodys_fault():
    weights = {"a": None, "b": 1e-3, "c": 1e-3}
    facts = case(gradients(a=(1.0, 1.0), b=(1.0, 1.0), c=(1.0, 1.0), weights=weights))
    assert the_finding("LD101", facts).severity is Severity.WARNING


def test_a_weight_is_not_the_cause_where_a_usual_one_would_change_nothing():
    facts = case(gradients(a=(1.0, 100.0), b=(1.0, 1.0), weights={"a": 1000.0, "b": 1.0}))
    assert the_finding("LD101", facts).severity is Severity.WARNING  # 99 % with weight 1 as well


@pytest.mark.parametrize(("weight", "other"), [(1.0, 1e-3), (0.1, 1e-5)])
def test_of_two_weights_the_one_further_from_1_is_to_blame(weight, other):
    facts = case(gradients(a=(1.0, 1.0), b=(1.0, 1.0), weights={"a": weight, "b": other}))
    assert the_finding("LD101", facts).severity is Severity.WARNING
    assert the_finding("LD102", facts).severity is Severity.ERROR


def test_of_three_weights_the_one_that_stands_alone_is_to_blame():
    facts = case(gradients(a=(1.0, 1.0), b=(1.0, 1.0), c=(1.0, 1.0), weights={"a": 1.0, "b": 1e-3, "c": 1e-3}))
    assert the_finding("LD101", facts).severity is Severity.ERROR
    assert [finding.severity for finding in check("LD102", facts)] == [Severity.WARNING] * 2


def test_a_third_tiny_weight_does_not_excuse_a_huge_one():
    facts = case(gradients(a=(1.0, 1.0), b=(1.0, 1.0), c=(1.0, 1e4), weights={"a": 1000.0, "b": 1.0, "c": 1e-6}))
    assert the_finding("LD101", facts).severity is Severity.ERROR


def test_a_regularizer_is_not_what_is_dominated():
    facts = gradients(a=(1.0, 1.0), kl=(1.0, 1.0), weights={"a": 1e6}, roles={"kl": "regularizer"})
    assert check("LD101", case(facts)) == []  # with one other component left there is no balance to judge


def test_a_regularizer_does_not_hide_who_dominates():
    facts = case(gradients(a=(1.0, 99.0), b=(1.0, 1.0), kl=(1.0, 500.0), roles={"kl": "regularizer"}))
    assert the_finding("LD101", facts).evidence["grad_share"] == pytest.approx(0.99)


def test_a_component_whose_gradient_vanishes_is_not_dominated():
    """LD502 says why it vanishes, or a zero-initialised head excuses it."""
    assert check("LD101", case(gradients(a=(1.0, 1.0), b=(1.0, 0.0)))) == []
    assert check("LD101", case(gradients(a=(1.0, 1.0), b=(1.0, 0.0), own={"b": 2.0}))) == []


@pytest.mark.parametrize(
    "facts",
    [
        gradients(a=(1.0, 1.0), b=(1.0, 1.0), weights={"a": 1e4, "b": 0.0}),
        gradients(a=(1.0, 1e4), b=(1.0, 1.0), detached=["b"]),
        gradients(a=(1.0, 1e4), b=(float("nan"), float("nan"))),
        gradients(a=(1.0, 1e4)),
    ],
    ids=["weight 0", "detached", "not finite", "alone"],
)
def test_what_has_no_share_is_no_rival(facts):
    assert check("LD101", case(facts)) == []


def test_only_shared_parameters_count():
    facts = case(gradients(a=(1.0, 1.0), b=(1.0, 1.0), own={"a": 1e6}))
    assert check("LD101", facts) == []


def test_the_fix_keeps_the_sign_and_parses():
    loss = {**STEP, "weights": {"a": -5000.0, "b": 2.0}}
    facts = gradients(a=(1.0, 1.0), b=(1.0, 1.0), weights={"a": -5000.0, "b": 2.0})
    finding = the_finding("LD101", case(facts, config=loss))
    assert finding.fix == {"loss.weights.a": -2.0}
    assert after_fix(loss, finding).loss.weights == {"a": -2.0, "b": 2.0}
    cured = gradients(a=(1.0, 1.0), b=(1.0, 1.0), weights={"a": -2.0, "b": 2.0})
    assert check("LD101", case(cured)) == []


def test_the_fix_of_a_built_in_component():
    loss = {"components": {"a.x": {"term": "mse", "weight": 1000}, "b": {"term": "l1", "weight": 1}}}
    facts = gradients(**{"a.x": (1.0, 1.0)}, b=(1.0, 1.0), weights={"a.x": 1000.0})
    finding = the_finding("LD101", case(facts, config=loss))
    assert finding.fix == {'loss.components."a.x".weight': 1.0}
    assert after_fix(loss, finding).loss.components["a.x"].weight == 1.0


def test_of_a_schedule_the_end_is_fixed():
    ramp = {"from": 0.0, "to": 4000.0, "over": 100}
    loss = {**STEP, "weights": {"a": ramp}}
    facts = gradients(a=(1.0, 1.0), b=(1.0, 1.0), weights={"a": 4000.0})
    fixed = after_fix(loss, the_finding("LD101", case(facts, config=loss)))
    assert fixed.loss.weights["a"] == Schedule.model_validate({**ramp, "to": 1.0})


@pytest.mark.parametrize(
    ("weights", "fixed"),
    [({"generator.adv": 5e3}, '"generator.adv"'), ({"adv": 5e3}, '"generator.adv"'), ({}, '"generator.adv"')],
)
def test_a_component_of_two_objectives_is_fixed_in_its_own(weights, fixed):
    declared = {"adv": 5e3, "rec": 1.0}
    generator = gradients("generator", adv=(1.0, 1.0), rec=(1.0, 1.0), weights=declared)
    discriminator = gradients("discriminator", adv=(1.0, 1.0))
    loss = {**STEP, "weights": weights}
    finding = the_finding("LD101", case(generator, discriminator, config=loss))
    assert finding.objective == "generator"
    assert finding.fix == {f"loss.weights.{fixed}": 1.0}
    assert after_fix(loss, finding).loss.weights["generator.adv"] == 1.0


def test_without_a_config_there_is_nothing_to_fix():
    facts = case(gradients(a=(1.0, 1.0), b=(1.0, 1.0), weights={"a": 1e4}))
    assert the_finding("LD101", facts).fix is None


def test_the_remedy_names_the_weight_of_an_equal_share():
    facts = case(gradients(a=(1.0, 300.0), b=(1.0, 1.0), c=(1.0, 2.0), weights={"a": 2.0}))
    assert "weight of about 0.005 " in the_finding("LD101", facts).remedy  # 0.005 · 300 = (1 + 2) / 2


def test_the_message_says_how_extreme_the_weight_is():
    facts = case(gradients(a=(1.0, 1.0), b=(1.0, 1.0), c=(1.0, 1.0), weights={"a": 3e4, "b": 2.0}))
    assert "because its weight is 15,000 times the largest of theirs" in the_finding("LD101", facts).message


def test_options():
    facts = case(gradients(a=(1.0, 1.0), b=(1.0, 1.0), weights={"a": 1000.0, "b": 1.0}))
    assert the_finding("LD101", facts, error_share=0.9999).severity is Severity.WARNING
    assert the_finding("LD101", facts, weight_ratio=1001.0).severity is Severity.WARNING
    assert check("LD101", facts, warning_share=0.9999) == []


def test_a_declared_share_is_meant():
    facts = gradients(a=(1.0, 999.0), b=(1.0, 1.0))
    budget = {**STEP, "shares": {"a": 0.999, "b": 0.001}}
    assert check("LD101", case(facts, config=budget)) == []
    others = {**STEP, "shares": {"b": 0.5}}
    assert the_finding("LD101", case(facts, config=others)).components == ("a",)
