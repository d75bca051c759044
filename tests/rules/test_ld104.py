from __future__ import annotations

import pytest

from lossdoctor.records import Severity

from .cases import case, check, gradients, the_finding


@pytest.mark.parametrize(("gradient", "fires"), [(0.049, True), (0.051, False)])
def test_fires_where_shares_differ_by_more_than_ten_times(gradient, fires):
    facts = gradients(a=(0.5, gradient), b=(0.5, 1 - gradient))  # half of the value
    assert bool(check("LD104", case(facts))) == fires


def test_is_a_note_that_names_both_shares():
    finding = the_finding("LD104", case(gradients(a=(90.0, 1.0), b=(10.0, 99.0))))
    assert finding.severity is Severity.NOTE
    assert finding.components == ("a",)
    assert finding.evidence == {"a": {"value_share": pytest.approx(0.9), "grad_share": pytest.approx(0.01)}}


def test_works_both_ways_in_one_finding():
    finding = the_finding("LD104", case(gradients(a=(0.99, 0.05), b=(0.01, 0.95))))
    assert finding.components == ("a", "b")


def test_weights_count_on_both_sides():
    assert check("LD104", case(gradients(a=(1.0, 1.0), b=(1.0, 1.0), weights={"a": 1e3}))) == []


def test_healthy_detector_with_ten_times_the_gradient_for_half_the_value():
    facts = gradients(cls=(1.13, 1.3), box=(0.66, 11.0))  # 63 % of the value, 11 % of the gradient
    assert check("LD104", case(facts)) == []


def test_negative_values_count_by_their_size():
    assert check("LD104", case(gradients(nll=(-3.0, 3.0), l1=(3.0, 3.0)))) == []


def test_what_is_small_in_both_misleads_nobody():
    facts = case(gradients(a=(1.0, 1.0), b=(1e-5, 5e-3)))
    assert check("LD104", facts) == []
    assert the_finding("LD104", facts, least_share=1e-3).components == ("b",)


def test_no_share_is_not_a_share_of_zero():
    assert check("LD104", case(gradients(a=(1.0, 1.0), b=(1.0, 1.0), c=(1.0, 1.0), detached=["c"]))) == []


def test_factor_is_an_option():
    facts = case(gradients(a=(0.5, 0.2), b=(0.5, 0.8)))
    assert the_finding("LD104", facts, factor=2.0).components == ("a",)
