"""LD206: channels of one comparison in units that are far apart."""

import math
from dataclasses import replace

import pytest

from lossdoctor.diagnose import diagnose
from lossdoctor.facts.operands import Slope

from .cases import check, operand, spread, the_finding
from .traced import loss_of

UNIT = spread(-1, 1)
MILLIMETRES = spread(-2000, 1500)


def compared(*target, name="mse_loss", prediction=None, origin=(), **arguments):
    small = (spread(-0.1, 0.1),) * len(target)
    sides = operand(*(prediction or small), grad=True), operand(*target, name="target", origin=origin)
    return loss_of(name, *sides, **arguments)


def test_millimetres_beside_a_quaternion():
    finding = the_finding("LD206", compared(*(MILLIMETRES,) * 3, *(UNIT,) * 4))
    assert finding.components == ("loss",)
    assert finding.evidence["small_channels"] == [3, 4, 5, 6]
    difference = math.hypot(0.2 / math.sqrt(12), 2 / math.sqrt(12))  # of two uniform distributions around 0
    assert finding.evidence["largest_difference_of_the_small"] == pytest.approx(difference)
    assert "channels 3–6 get" in finding.message


@pytest.mark.parametrize("name", ["mse_loss", "squared difference"])
def test_squares(name):
    assert check("LD206", compared(MILLIMETRES, UNIT, name=name))


@pytest.mark.parametrize("name", ["l1_loss", "absolute difference", "smooth_l1_loss", "cross_entropy"])
def test_whose_gradient_knows_no_unit(name):
    assert check("LD206", compared(MILLIMETRES, UNIT, name=name)) == []


@pytest.mark.parametrize("reduction", ["none", "weighted"])
def test_weighed_channels(reduction):
    assert check("LD206", compared(MILLIMETRES, UNIT, reduction=reduction)) == []


@pytest.mark.parametrize(
    ("slope", "found"),
    [
        (Slope(0.1, 0.2, uniform=False), True),
        (Slope(-0.2, -0.1, uniform=False), True),
        (Slope(1e-6, 1.0, uniform=False), False),  # one over the variance of each channel, say
        (Slope(-0.1, 0.2, uniform=False), False),
        (Slope(0.1, 0.2, uniform=False, partial=True), False),  # masked: what counts is not known
    ],
)
def test_weights_that_cannot_make_up_for_the_units(slope, found):
    """By latitude or time step: at most twice as much for one element as for another."""
    facts = compared(MILLIMETRES, UNIT, name="squared difference", reduction="weighted")
    (comparison,) = facts.examination.operations
    weighed = replace(comparison, slopes={"total.loss": slope})
    examination = replace(facts.examination, operations=(weighed,))
    assert bool(check("LD206", replace(facts, examination=examination))) is found


@pytest.mark.parametrize(
    "channels",
    [
        (spread(0, 100), spread(-60, 60), spread(-80, 80)),  # CIELAB
        [spread(-(10.0**k), 10.0**k) for k in range(-4, 4)],  # bands of a spectrum: no two groups
        (MILLIMETRES, spread(1, 1)),  # a channel that never changes
        (MILLIMETRES,),
    ],
)
def test_channels_that_are_not_drowned(channels):
    assert check("LD206", compared(*channels)) == []


def test_many_small_channels_count_together():
    assert check("LD206", compared(spread(-105, 105), UNIT))
    assert not check("LD206", compared(spread(-105, 105), *(UNIT,) * 20))


@pytest.mark.parametrize("origin", [("conv2d", "relu"), ("abs", "stft")])
def test_features_and_spectra(origin):
    assert check("LD206", compared(MILLIMETRES, UNIT, origin=origin)) == []


def test_an_offset_is_a_difference():
    far = operand(spread(-0.1, 0.1), spread(999, 1001), grad=True), operand(UNIT, UNIT, name="target")
    assert check("LD206", loss_of("mse_loss", *far))


def test_explains_that_the_component_dominates():
    codes = {finding.code for finding in diagnose(compared(MILLIMETRES, UNIT))[0] if finding.severity == "warning"}
    assert "LD206" in codes
