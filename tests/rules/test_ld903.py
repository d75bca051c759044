from __future__ import annotations

import pytest

from lossdoctor.records import Severity

from .cases import case, check, expect, gradients

L1 = {"term": "l1", "weight": 1.0}
EDGES = {"term": "gradient", "weight": 1.0}
FEATURES = {"term": "perceptual", "pretrained": "random", "weight": 1.0}


def weighted(**weights):
    terms = {"pixels": L1, "edges": EDGES, "features": FEATURES}
    return {"components": {name: {**terms[name], "weight": weight} for name, weight in weights.items()}}


def test_usual_weights_are_fine():
    assert expect("LD903", weighted(pixels=1.0, edges=0.1)) == []
    assert expect("LD903", weighted(pixels=100.0, features=1.0)) == []
    assert expect("LD903", weighted(pixels=1.0, features=0.01, edges=0.05)) == []


@pytest.mark.parametrize(("weight", "severity"), [(300.0, Severity.WARNING), (3000.0, Severity.ERROR)])
def test_a_weight_far_from_the_others_names_its_component(weight, severity):
    (finding,) = expect("LD903", weighted(pixels=weight, edges=1.0))
    assert (finding.components, finding.severity) == (("pixels",), severity)
    assert f"weight {weight:g}" in finding.message
    assert finding.evidence["expected_ratio"] == pytest.approx(weight, rel=0.01)  # both have the slope of an L1


def test_of_two_components_the_one_with_the_odd_weight_is_named():
    (finding,) = expect("LD903", weighted(pixels=1.0, edges=1e-4))
    assert finding.components == ("edges",)
    assert finding.severity is Severity.ERROR


def test_of_several_components_the_small_ones_are_named_where_none_is_large():
    (finding,) = expect("LD903", weighted(pixels=1.0, features=1.0, edges=1e-5))
    assert finding.components == ("edges",)


def test_a_regularizer_and_a_total_variation_may_be_small():
    small = weighted(pixels=1.0, edges=1e-4)
    assert expect("LD903", {**small, "roles": {"edges": "regularizer"}}) == []
    smooth = {"components": {"pixels": L1, "smooth": {"term": "tv", "weight": 1e-6}}}
    assert expect("LD903", smooth) == []


def test_a_large_total_variation_is_not_excused():
    blurred = {"components": {"pixels": L1, "smooth": {"term": "tv", "weight": 1e4}}}
    (finding,) = expect("LD903", blurred)
    assert finding.components == ("smooth",)


def test_a_single_component_has_nothing_to_balance():
    assert expect("LD903", weighted(pixels=1e9)) == []


def test_the_end_of_a_schedule_counts():
    assert expect("LD903", weighted(pixels={"from": 1e6, "to": 1.0, "over": 10}, edges=1.0)) == []


def test_what_was_measured_is_not_estimated():
    measured = case(gradients(pixels=(1.0, 1e6), edges=(1.0, 1.0)), config=weighted(pixels=1e6, edges=1.0))
    assert check("LD903", measured) == []
