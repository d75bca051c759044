from __future__ import annotations

import pytest

from lossdoctor.config.load import load_config
from lossdoctor.records import Severity

from .cases import after_fix, case, check, gradients, the_finding

STEP = {"step": "my_project.train:losses"}


def budget(shares, tolerance=3.0, weights=None, roles=None, detached=(), **norms):
    """Return a case with these declared shares and unweighted gradient norms."""
    weights = dict.fromkeys(norms, 1.0) | (weights or {})
    loss = {**STEP, "weights": weights, "shares": shares, "tolerance": tolerance, "roles": roles or {}}
    ends = {name: weight["to"] if isinstance(weight, dict) else weight for name, weight in weights.items()}
    facts = gradients(
        weights=ends, roles=roles, detached=detached, **{name: (1.0, norm) for name, norm in norms.items()}
    )
    return case(facts, config=loss), loss


def found(*args, **kwargs):
    return [finding.components for finding in check("LD105", budget(*args, **kwargs)[0])]


HALVES = {"a": 0.5, "b": 0.5}


@pytest.mark.parametrize(("b", "fires"), [(0.21, False), (0.19, True)])
def test_a_third_of_the_share_is_within_a_tolerance_of_3(b, fires):
    assert bool(found(HALVES, a=1.0, b=b)) == fires  # 0.2 / 1.2 = 1/6


def test_what_is_off_is_named_with_both_numbers():
    finding = the_finding("LD105", budget(HALVES, a=99.0, b=1.0)[0])
    assert finding.severity is Severity.ERROR
    assert finding.components == ("b",)  # 99 % is within three times 50 %
    assert finding.evidence["declared"] == HALVES
    assert finding.evidence["measured"] == pytest.approx({"a": 0.99, "b": 0.01})
    assert "b has 1 % of the gradient instead of 50 %" in finding.message


def test_the_tolerance_is_the_configs():
    assert found(HALVES, tolerance=60.0, a=99.0, b=1.0) == []
    assert found(HALVES, tolerance=1.01, a=51.0, b=49.0) == [("a", "b")]


def test_no_shares_no_budget():
    assert found({}, a=1e6, b=1.0) == []


def test_shares_are_those_of_the_weighted_gradients():
    assert found(HALVES, weights={"a": 0.01}, a=100.0, b=1.0) == []


class TestWithoutShare:
    def test_a_regularizer_changes_nothing(self):
        kl = {"roles": {"kl": "regularizer"}}
        assert found(HALVES, a=1.0, b=1.0, kl=1e6, **kl) == []
        assert found(HALVES, a=1.0, b=0.1, kl=1e6, **kl) == [("b",)]

    @pytest.mark.parametrize("adversarial", [1e-3, 1.0, 1e3])
    def test_shares_that_add_up_to_1_divide_what_their_components_have(self, adversarial):
        assert found(HALVES, a=1.0, b=1.0, adversarial=adversarial) == []

    def test_thirds_written_with_two_digits_add_up_to_1(self):
        thirds = dict.fromkeys("abc", 0.33)
        assert found(thirds, a=1.0, b=1.0, c=1.0, adversarial=1e3) == []

    @pytest.mark.parametrize(("rest", "fires"), [(1.0, False), (1e3, True), (1e-4, False)])
    def test_what_is_left_over_belongs_to_the_others(self, rest, fires):
        assert bool(found({"a": 0.5}, a=1.0, b=rest)) == fires

    def test_the_rest_does_not_shrink_with_a_regularizer(self):
        assert found({"a": 0.5}, a=1.0, b=1.0, kl=1e3, roles={"kl": "regularizer"}) == []


class TestNotMeasurable:
    def test_a_detached_component_is_not_judged(self):
        assert found({"a": 0.4, "b": 0.4, "c": 0.2}, a=1.0, b=1.0, c=1.0, detached=["c"]) == []

    def test_a_gradient_of_zero_is_not_a_matter_of_weights(self):
        assert found(HALVES, a=1.0, b=0.0) == []

    def test_a_weight_of_zero_is(self):
        facts, loss = budget(HALVES, weights={"b": 0.0}, a=1.0, b=4.0)
        finding = the_finding("LD105", facts)
        assert finding.components == ("b",)
        assert after_fix(loss, finding).loss.weights == {"a": 1.0, "b": 0.25}

    def test_nothing_to_compare(self):
        assert found({"a": 0.9, "b": 0.1}, a=1.0, b=1.0, detached=["a", "b"]) == []
        assert found({"a": 0.0}, a=1.0) == []


@pytest.mark.parametrize(("measured", "fires"), [(1.0, True), (0.004, False)])
def test_a_share_of_zero_allows_hardly_anything(measured, fires):
    assert bool(found({"a": 1.0, "b": 0.0}, a=1.0, b=measured)) == fires


class TestFix:
    @pytest.mark.parametrize(
        ("shares", "norms"),
        [
            (HALVES, {"a": 1.0, "b": 777.0}),
            ({"a": 0.5, "b": 0.25, "c": 0.25}, {"a": 0.1, "b": 240.0, "c": 3.3}),
            ({"a": 0.7, "b": 0.3}, {"a": 1e-6, "b": 1e6}),
            ({"a": 0.2, "b": 0.2}, {"a": 1.0, "b": 50.0, "c": 3.0}),
        ],
    )
    def test_meets_the_budget(self, shares, norms):
        facts, loss = budget(shares, **norms)
        finding = the_finding("LD105", facts)
        weights = dict(after_fix(loss, finding).loss.weights)
        assert all(float(f"{weight:.1e}") == weight for weight in weights.values())
        assert all(f"{name}: {weights[name]:g}" in finding.remedy for name in weights if weights[name] != 1.0)
        contributions = {name: weights[name] * norms[name] for name in shares}
        for name, share in shares.items():
            expected = share / sum(shares.values()) * sum(contributions.values())
            assert contributions[name] == pytest.approx(expected, rel=0.11)  # two digits of two weights
        assert found(shares, weights=weights, **norms) == []

    def test_where_all_are_off_keeps_the_weight_of_the_largest_share(self):
        facts, _ = budget({"a": 0.2, "b": 0.8}, weights={"a": 3.0, "b": 7.0}, a=100.0, b=1.0)
        assert the_finding("LD105", facts).fix == {"loss.weights.a": 0.018}  # 7 · 0.2 / 0.8 / 100 = 0.0175

    def test_keeps_a_weight_that_is_not_off(self):
        assert the_finding("LD105", budget(HALVES, a=1.0, b=100.0)[0]).fix == {"loss.weights.a": 100.0}
        assert the_finding("LD105", budget({"a": 0.8, "b": 0.2}, a=1.0, b=2.0, tolerance=2.0)[0]).fix == {
            "loss.weights.b": 0.12  # both are off: 0.2 / 0.8 / 2 = 0.125
        }

    def test_of_equal_shares_that_are_off_makes_nothing_larger(self):
        facts, _ = budget(HALVES, a=1.0, b=4.0, tolerance=1.2)
        assert the_finding("LD105", facts).fix == {"loss.weights.b": 0.25}

    def test_keeps_the_sign(self):
        facts, _ = budget(HALVES, weights={"a": -1.0}, a=1.0, b=100.0)
        assert the_finding("LD105", facts).fix == {"loss.weights.a": -100.0}

    def test_leaves_a_schedule_alone(self):
        ramp = {"from": 0.0, "to": 1.0, "over": 100}
        finding = the_finding("LD105", budget(HALVES, weights={"a": ramp}, a=1.0, b=100.0)[0])
        assert finding.fix is None
        assert "a: 100" in finding.remedy

    def test_of_built_in_components(self):
        loss = {
            "components": {"lab": {"term": "mse", "weight": 1.0}, "edges": {"term": "gradient", "weight": 1.0}},
            "shares": {"lab": 0.5, "edges": 0.5},
        }
        finding = the_finding("LD105", case(gradients(lab=(1.0, 200.0), edges=(1.0, 1.0)), config=loss))
        assert after_fix(loss, finding).loss.components["edges"].weight == 200.0


def test_each_objective_has_its_own_budget():
    shares = {"generator.adv": 0.5, "rec": 0.5}
    generator = gradients("generator", adv=(1.0, 1.0), rec=(1.0, 99.0))
    discriminator = gradients("discriminator", adv=(1.0, 1.0), fake=(1.0, 99.0))
    finding = the_finding("LD105", case(generator, discriminator, config={**STEP, "shares": shares}))
    assert (finding.objective, finding.components) == ("generator", ("adv",))
    assert finding.fix == {'loss.weights."generator.adv"': 99.0}


def test_points_at_the_share(tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text(
        "model: {target: unet}\ndata: {target: 'm:d'}\nloss:\n  step: m:s\n  shares:\n    a: 0.5\n    b: 0.5\n"
    )
    finding = the_finding("LD105", case(gradients(a=(1.0, 99.0), b=(1.0, 1.0)), config=load_config(path)))
    assert finding.location.line == 7
