from __future__ import annotations

import pytest

from lossdoctor.records import Severity

from .cases import check, the_finding
from .traced import loss_of, prediction, target


def divergence(reduction, shape=(32, 100), name="kl_div"):
    sides = prediction(-7, -0.1, "log_softmax", shape=shape), target(0, 0.9, shape=shape)
    return loss_of(name, *sides, reduction=reduction)


def test_the_mean_over_elements_is_too_small_by_the_classes():
    finding = the_finding("LD303", divergence("mean"))
    assert finding.severity is Severity.WARNING
    assert finding.components == ("loss",)
    assert finding.evidence["factor"] == 100
    assert "batchmean" in finding.remedy
    assert finding.location.line == 12


@pytest.mark.parametrize(("shape", "factor"), [((4, 7, 50), 350), ((4, 21, 8, 8), 1344), ((8, 2), 2)])
def test_tokens_and_pixels_count_as_well(shape, factor):
    assert the_finding("LD303", divergence("mean", shape)).evidence["factor"] == factor


@pytest.mark.parametrize("reduction", ["batchmean", "sum", "none"])
def test_other_reductions(reduction):
    assert check("LD303", divergence(reduction)) == []


@pytest.mark.parametrize("shape", [(100,), (32, 1), ()])
def test_where_both_are_the_same(shape):
    assert check("LD303", divergence("mean", shape)) == []


def test_other_losses_are_averaged_as_they_should_be():
    assert check("LD303", divergence("mean", name="cross_entropy")) == []
