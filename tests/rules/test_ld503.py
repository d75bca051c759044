from __future__ import annotations

from dataclasses import replace

import pytest

from lossdoctor.facts.parameters import ParameterFacts
from lossdoctor.records import Severity

from .cases import case, check, gradients, the_finding

HEALTHY = gradients(a=(1.0, 1.0), b=(1.0, 1.0))


def parameters(trainable=1000, **unreached):
    return ParameterFacts(trainable, 0, {name.replace("__", "."): count for name, count in unreached.items()})


def test_parameters_that_nobody_reaches_are_a_warning_about_no_component():
    facts = case(HEALTHY, parameters=parameters(aux__weight=200, aux__bias=50, head__0__weight=100))
    finding = the_finding("LD503", facts)
    assert finding.severity is Severity.WARNING
    assert finding.components == ()
    assert finding.objective == "total"
    assert finding.evidence == {"unreached": 350, "trainable": 1000, "modules": {"aux": 250, "head.0": 100}}
    assert "350 trainable parameters (35 %)" in finding.message
    assert "requires_grad_(False)" in finding.remedy


def test_the_largest_modules_are_named_and_the_others_counted():
    facts = case(HEALTHY, parameters=parameters(a__w=4, b__w=3, c__w=2, d__w=1, scale=1))
    assert "in a, b, c and 2 more modules" in the_finding("LD503", facts).message


@pytest.mark.parametrize("zero", [(), ("head.weight",)])
def test_reached_with_a_zero_gradient_is_reached(zero):
    facts = gradients(a=(1.0, 1.0), b=(1.0, 0.0))
    assert check("LD503", case(facts, parameters=ParameterFacts(1000, 0, {}, zero))) == []


def test_frozen_parameters_are_meant():
    assert check("LD503", case(HEALTHY, parameters=ParameterFacts(1000, 9000))) == []


def test_where_nothing_is_attached_another_rule_says_so():
    facts = gradients(a=(1.0, 0.0), detached=["a"])
    assert check("LD503", case(facts, parameters=parameters(net__weight=1000))) == []
    assert check("LD501", case(facts))


def test_of_several_objectives_it_is_about_none_in_particular():
    facts = case(
        gradients("generator", adv=(1.0, 1.0)), gradients("critic", adv=(1.0, 1.0)), parameters=parameters(x=1)
    )
    assert the_finding("LD503", facts).objective == ""


def test_least_share_is_an_option():
    facts = case(HEALTHY, parameters=parameters(aux__weight=10))
    assert check("LD503", facts, least_share=0.01)
    assert check("LD503", facts, least_share=0.011) == []


def test_a_copy_of_what_is_trained_is_left_alone():
    copied = {"copies": {"target.0.weight": "online.0.weight"}}
    facts = replace(parameters(target__0__weight=200, aux__weight=50), **copied)
    assert the_finding("LD503", case(HEALTHY, parameters=facts)).evidence["modules"] == {"aux": 50}
    assert check("LD503", case(HEALTHY, parameters=replace(parameters(target__0__weight=200), **copied))) == []
