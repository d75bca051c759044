"""LD507: a weight that changes nothing."""

from dataclasses import replace

import pytest

from .cases import check, the_finding
from .test_ld504 import totals


def test_a_weight_that_is_only_a_switch():
    finding = the_finding("LD507", totals(1.0, 0.5, 1.0, responses=(1.0, 1.0, 0.0)))
    assert finding.components == ("c",)
    assert finding.evidence["effective"] == {"c": 1.0}


def test_all_weights_ignored_is_one_finding():
    everything = totals(1.0, 1.0, 1.0, weights=(1.0, 1.0, 1.0), responses=(0.0, 0.0, 0.0))
    assert the_finding("LD507", everything).components == ("a", "b", "c")


def test_the_term_that_others_are_weighed_against():
    assert check("LD507", totals(1.0, 0.5, 0.1, responses=(0.0, 1.0, 1.0))) == []
    assert the_finding("LD507", totals(1.0, 0.5, 1.0, responses=(0.0, 1.0, 0.0))).components == ("c",)


def test_a_switch_of_weight_one():
    facts = totals(1.0, 0.5, 0.1, responses=(0.0, 1.0, 1.0))
    (total,) = facts.examination.totals
    a, *others = total.components
    switch = replace(total, components=(replace(a, is_switch=True), *others))
    facts = replace(facts, examination=replace(facts.examination, totals=(switch,)))
    assert the_finding("LD507", facts).components == ("a",)


@pytest.mark.parametrize("responses", [(1.0, 1.0, 1.0), (3.0, 1.0, 1.0), (None, None, None), (1.0, 8.0, 0.01)])
def test_weights_that_count(responses):
    assert check("LD507", totals(1.0, 0.5, 0.1, responses=responses)) == []
