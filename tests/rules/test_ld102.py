from __future__ import annotations

import pytest

from lossdoctor.records import Severity

from .cases import after_fix, case, check, gradients, the_finding

STEP = {"step": "my_project.train:losses"}


@pytest.mark.parametrize(("norm", "fires"), [(0.499, True), (0.5, False)])
def test_fires_below_half_a_percent_of_the_gradient(norm, fires):
    assert bool(check("LD102", case(gradients(a=(1.0, 100 - norm), b=(1.0, norm))))) == fires


def test_an_unknown_cause_is_a_warning():
    finding = the_finding("LD102", case(gradients(a=(1.0, 1e9), b=(1.0, 1.0))))
    assert finding.severity is Severity.WARNING
    assert finding.components == ("b",)
    assert finding.fix is None


def test_every_starved_component_is_found():
    facts = case(gradients(a=(1.0, 1e4), b=(1.0, 1.0), c=(1.0, 2.0), d=(1.0, 3e3)))
    assert [finding.components for finding in check("LD102", facts)] == [("b",), ("c",)]


def test_a_regularizer_may_be_small():
    facts = gradients(a=(1.0, 1.0), b=(1.0, 1.0), kl=(1.0, 1.0), weights={"kl": 1e-6}, roles={"kl": "regularizer"})
    assert check("LD102", case(facts)) == []


def test_a_regularizer_starves_nobody():
    facts = gradients(a=(1.0, 1.0), b=(1.0, 1.0), kl=(1.0, 1e6), roles={"kl": "regularizer"})
    assert check("LD102", case(facts)) == []


@pytest.mark.parametrize(("weight", "severity"), [(1e-3, Severity.ERROR), (1.01e-3, Severity.WARNING)])
def test_a_declared_weight_of_a_thousandth_of_the_others_is_the_cause(weight, severity):
    facts = case(gradients(a=(1.0, 1.0), b=(1.0, 1.0), weights={"a": 1.0, "b": weight}))
    assert the_finding("LD102", facts).severity is severity


def test_a_usual_weight_beside_a_huge_one_is_not_to_blame():
    facts = case(gradients(a=(1.0, 1.0), b=(1.0, 1.0), weights={"a": 1000.0, "b": 1.0}))
    assert the_finding("LD102", facts).severity is Severity.WARNING
    assert the_finding("LD101", facts).severity is Severity.ERROR


def test_a_weight_that_nobody_declared_is_nobodys_fault():
    weights = {"a": 1e3, "b": None, "c": 1e3}
    facts = case(gradients(a=(1.0, 1.0), b=(1.0, 1.0), c=(1.0, 1.0), weights=weights))
    assert the_finding("LD102", facts).severity is Severity.WARNING


def test_a_weight_is_not_the_cause_where_a_usual_one_would_change_nothing():
    facts = case(gradients(a=(1.0, 1e4), b=(1.0, 1.0), weights={"a": 1.0, "b": 1e-3}))
    assert the_finding("LD102", facts).severity is Severity.WARNING  # starved with weight 1 as well


def test_a_tiny_weight_that_balances_a_large_gradient_is_fine():
    facts = case(gradients(lab=(680.0, 240.0), perceptual=(0.97, 0.1), weights={"lab": 1e-3, "perceptual": 1.0}))
    assert check("LD102", facts) == []
    assert check("LD101", facts) == []


def test_of_several_small_weights_the_smallest_is_the_odd_one():
    weights = {"a": 1.0, "b": 1e-3, "c": 1e-6}
    facts = case(gradients(a=(1.0, 1.0), b=(1.0, 1.0), c=(1.0, 100.0), weights=weights))
    assert [(f.components, f.severity) for f in check("LD102", facts)] == [
        (("b",), Severity.WARNING),
        (("c",), Severity.ERROR),
    ]


def test_a_gradient_that_vanishes_is_not_starved_by_others():
    assert check("LD102", case(gradients(a=(1.0, 1.0), b=(1.0, 0.0)))) == []
    assert check("LD102", case(gradients(a=(1.0, 1.0), b=(1.0, 0.0), own={"b": 2.0}))) == []


def test_a_component_with_parameters_of_its_own_is_judged_on_shared_ones():
    facts = case(gradients(a=(1.0, 1.0), b=(1.0, 1e-3), own={"b": 100.0}))
    assert the_finding("LD102", facts).evidence["grad_share"] == pytest.approx(1e-3 / 1.001)


def test_a_component_that_skips_the_trunk_is_not_judged():
    facts = gradients(a=(1.0, 1.0), b=(1.0, 1.0), c=(1.0, 1e-9), detached=["c"], own={"c": 1e-9})
    assert check("LD102", case(facts)) == []


def test_the_fix_raises_the_weight_and_keeps_its_sign():
    loss = {**STEP, "weights": {"a": 3.0, "b": -1e-5}}
    facts = gradients(a=(1.0, 1.0), b=(1.0, 1.0), weights={"a": 3.0, "b": -1e-5})
    finding = the_finding("LD102", case(facts, config=loss))
    assert finding.fix == {"loss.weights.b": -3.0}
    assert after_fix(loss, finding).loss.weights["b"] == -3.0


def test_the_remedy_offers_the_role_of_a_regularizer():
    facts = case(gradients(a=(1.0, 1e4), b=(1.0, 1.0)))
    assert "loss.roles" in the_finding("LD102", facts).remedy


def test_the_message_says_how_extreme_the_weight_is():
    facts = case(gradients(a=(1.0, 1.0), b=(1.0, 1.0), c=(1.0, 1.0), weights={"a": 1e-4, "b": 2.0}))
    assert "because its weight is 1/10,000 of the smallest of theirs" in the_finding("LD102", facts).message


def test_options():
    facts = case(gradients(a=(1.0, 1.0), b=(1.0, 1.0), weights={"b": 1e-3}))
    assert the_finding("LD102", facts, weight_ratio=1001.0).severity is Severity.WARNING
    assert check("LD102", facts, warning_share=0.0005) == []


def test_a_penalty_on_the_weights_may_have_a_small_weight():
    facts = gradients(fit=([1.0, 1.2], 1.0), decay=([3.0, 3.0], 1.0), weights={"decay": 1e-4})
    assert the_finding("LD102", case(facts)).severity is Severity.WARNING
    full_batch = gradients(fit=([1.0, 1.0], 1.0), decay=([3.0, 3.0], 1.0), weights={"decay": 1e-4})
    assert the_finding("LD102", case(full_batch)).severity is Severity.ERROR


def test_a_declared_share_is_meant():
    facts = gradients(a=(1.0, 999.0), b=(1.0, 1.0))
    budget = {**STEP, "shares": {"a": 0.999, "b": 0.001}}
    assert check("LD102", case(facts, config=budget)) == []
    others = {**STEP, "shares": {"a": 0.5}}
    assert the_finding("LD102", case(facts, config=others)).components == ("b",)
