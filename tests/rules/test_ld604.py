from __future__ import annotations

from dataclasses import replace

import pytest

from lossdoctor.facts.parameters import ParameterFacts, ParameterSize
from lossdoctor.records import Severity

from .cases import PHOTO, PREDICTION, case, check, gradients, operation, the_finding

#: 400 scalars of 0.5: a norm of 10.
LAYER = ParameterSize(scalars=400, rms=0.5, dtype="float32", dimensions=2)


def explode(norms, sizes=None, weights=None, operations=()):
    """Return a case whose components have these gradient norms by parameter: {"a": {"layer": 1e9}}."""
    names = {name for by_parameter in norms.values() for name in by_parameter}
    facts = replace(
        gradients(weights=weights, **dict.fromkeys(norms, (1.0, 1.0))),
        parameter_norms={name: tuple(by_parameter.get(name) for by_parameter in norms.values()) for name in names},
    )
    return case(
        facts, parameters=ParameterFacts(400, 0, sizes=sizes or dict.fromkeys(names, LAYER)), operations=operations
    )


@pytest.mark.parametrize(("norm", "fires"), [(1.01e8, True), (0.99e8, False)])
def test_a_step_at_the_smallest_learning_rate_that_replaces_the_weights(norm, fires):
    assert bool(check("LD604", explode({"a": {"layer": norm}}))) == fires  # 1e-7 · 1e8 = 10 = ‖layer‖


def test_names_the_component_and_the_layer():
    finding = the_finding("LD604", explode({"a": {"stem": 1e12, "head": 1e3}, "b": {"stem": 1.0}}))
    assert finding.severity is Severity.ERROR
    assert finding.components == ("a",)
    assert finding.evidence["steepest"] == "stem"
    assert finding.evidence["parameter_norm"] == pytest.approx(200**0.5)


def test_only_the_parameters_that_it_reaches_count():
    huge = {"layer": LAYER, "other": replace(LAYER, rms=1e9)}
    assert check("LD604", explode({"a": {"layer": 1e9}, "b": {"other": 1.0}}, huge))
    assert check("LD604", explode({"a": {"layer": 1e9, "other": 0.0}}, huge)) == []


def test_a_large_weight_is_not_an_explosion():
    """LD101 judges it."""
    assert check("LD604", explode({"a": {"layer": 1e7}, "b": {"layer": 1.0}}, weights={"a": 1e6})) == []


def test_a_small_weight_tames_it():
    assert check("LD604", explode({"a": {"layer": 1e9}}, weights={"a": 1e-3})) == []
    assert check("LD604", explode({"a": {"layer": 1e9}}, weights={"a": 0.0})) == []


@pytest.mark.parametrize(("reduction", "fires"), [("sum", False), ("mean", True), ("none", True)])
def test_of_a_sum_the_gradient_of_one_element_counts(reduction, fires):
    squares = replace(operation("mse_loss", PREDICTION, PHOTO, of="a"), arguments={"reduction": reduction})
    facts = explode({"a": {"layer": 1e10}}, operations=[squares])  # of 8·3·16·16 = 6,144 elements
    assert bool(check("LD604", facts)) == fires


@pytest.mark.parametrize("norm", [float("nan"), float("inf"), 0.0, None])
def test_what_is_not_finite_is_for_others_to_report(norm):
    assert check("LD604", explode({"a": {"layer": norm}})) == []


def test_parameters_that_are_all_zero_have_no_size_to_compare_with():
    assert check("LD604", explode({"a": {"layer": 1e9}}, {"layer": replace(LAYER, rms=0.0)})) == []


def test_options():
    facts = explode({"a": {"layer": 1e9}})
    assert check("LD604", facts, learning_rate=1e-9) == []
    assert check("LD604", facts, update_ratio=1000.0) == []
