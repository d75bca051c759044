from __future__ import annotations

import pytest

from lossdoctor.records import Severity

from .cases import check, the_finding
from .traced import loss_of, prediction, side, target

MASK = target(0, 1, shape=(4, 1, 16, 16))


@pytest.mark.parametrize("origin", [("clamp", "conv2d"), ("clip", "losses()", "linear"), ("hardtanh", "batch_norm")])
def test_the_output_of_a_layer_cut_down(origin):
    finding = the_finding("LD406", loss_of("binary_cross_entropy", prediction(0, 0.6, *origin), MASK))
    assert finding.severity is Severity.ERROR
    assert finding.components == ("loss",)
    assert finding.evidence["input"] == [0, 0.6]
    assert "with_logits" in finding.remedy
    assert finding.location.line == 12


@pytest.mark.parametrize(
    "origin",
    [
        ("sigmoid", "conv2d"),
        ("clamp", "sigmoid", "conv2d"),
        ("clamp", "softmax"),
        ("clamp", "mean", "conv2d"),
        (),
        ("clamp",),
    ],
    ids=str,
)
def test_probabilities_and_what_cannot_be_told(origin):
    assert check("LD406", loss_of("binary_cross_entropy", prediction(0, 0.6, *origin), MASK)) == []


def test_other_losses_take_what_they_get():
    assert check("LD406", loss_of("mse_loss", prediction(0, 0.6, "clamp", "conv2d"), MASK)) == []


def test_what_carries_no_gradient_is_no_prediction():
    assert check("LD406", loss_of("binary_cross_entropy", side(0, 0.6, origin=("clamp", "conv2d")), MASK)) == []


def overlap(given, mask=MASK):
    return loss_of("overlap", given, mask)


def test_the_overlap_of_logits():
    finding = the_finding("LD406", overlap(prediction(-1.5, 2.0, "conv2d")))
    assert finding.severity is Severity.ERROR
    assert finding.evidence["input"] == [-1.5, 2.0]
    assert "overlap" in finding.message
    assert "sigmoid" in finding.remedy


@pytest.mark.parametrize(
    ("given", "mask"),
    [
        (prediction(0, 1, "sigmoid", "conv2d"), MASK),
        (prediction(-0.001, 1, "softmax", "conv2d"), MASK),  # rounding
        (prediction(0, 30, "relu", "conv2d"), MASK),  # never negative: no pole
        (prediction(-1.5, 2.0, "conv2d"), target(-3, 3, shape=(4, 1, 16, 16))),  # no mask
    ],
    ids=["probabilities", "rounding", "no pole", "no mask"],
)
def test_overlaps_without_a_pole(given, mask):
    assert check("LD406", overlap(given, mask)) == []
