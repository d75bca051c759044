from __future__ import annotations

import dataclasses

import pytest

from lossdoctor.facts.outputs import Output
from lossdoctor.records import Severity

from .cases import LAB, case, check, gradients, operand, operation, spread, the_finding
from .traced import STEP, loss_of, prediction, side, target

IMAGES = (4, 3, 16, 16)
TANH = prediction(-0.4, 0.5, "tanh", "conv2d", shape=IMAGES)
SIGMOID = prediction(0.3, 0.6, "sigmoid", "conv2d", shape=IMAGES)
UNIT = target(0.004, 0.98, shape=IMAGES)
EIGHT_BIT = target(0, 255, shape=IMAGES)


class TestActivation:
    def test_tanh_against_images_in_0_to_1(self):
        finding = the_finding("LD202", loss_of("l1_loss", TANH, UNIT))
        assert finding.severity is Severity.ERROR
        assert finding.components == ("loss",)
        assert finding.evidence["activation_range"] == "-1 … 1"
        assert finding.evidence["target"] == [0.004, 0.98]
        assert finding.location.line == 12
        assert "2 * x - 1" in finding.remedy

    @pytest.mark.parametrize("name", ["mse_loss", "smooth_l1_loss", "squared difference", "norm of a difference"])
    def test_every_distance_whichever_side_comes_first(self, name):
        assert check("LD202", loss_of(name, UNIT, TANH))

    def test_masks_change_nothing_about_the_range(self):
        assert check("LD202", loss_of("l1_loss", TANH, UNIT, reduction="none"))

    @pytest.mark.parametrize("activation", [TANH, SIGMOID], ids=["tanh", "sigmoid"])
    def test_images_up_to_255(self, activation):
        finding = the_finding("LD202", loss_of("mse_loss", activation, EIGHT_BIT))
        assert "out of reach" in finding.message
        assert finding.evidence["target"] == [0, 255]

    @pytest.mark.parametrize(
        ("output", "data"),
        [
            (TANH, target(-0.97, 0.98, shape=IMAGES)),
            (TANH, target(-0.2, 0.98, shape=IMAGES)),
            (TANH, target(0.0, 0.5, shape=IMAGES)),
            (TANH, target(1, 1, shape=IMAGES)),
            (dataclasses.replace(TANH, shape=(5, 3)), target(0, 1, shape=(5, 3))),
            (SIGMOID, UNIT),
            (prediction(-0.4, 0.5, "conv2d", shape=IMAGES), UNIT),
            (prediction(-0.4, 0.5, "add", "tanh", shape=IMAGES), UNIT),
            (prediction(0.3, 0.7, "div", "add", "tanh", shape=IMAGES), UNIT),
            (prediction(-3, 2, "tanh", "conv2d", shape=IMAGES), UNIT),
            (dataclasses.replace(TANH, requires_grad=False), UNIT),
            (TANH, dataclasses.replace(UNIT, requires_grad=True)),
            (TANH, dataclasses.replace(UNIT, origin=("relu", "conv2d"))),
            (TANH, dataclasses.replace(UNIT, shape=(4, 1, 16, 16))),
        ],
        ids=[
            "data in [-1, 1]",
            "data below zero",
            "a part of [0, 1]",
            "a label",
            "too few to tell",
            "sigmoid",
            "a linear layer",
            "a residual",
            "rescaled",
            "more than a tanh",
            "no gradient",
            "two predictions",
            "features of another network",
            "broadcast",
        ],
    )
    def test_what_fits_or_cannot_be_told_is_no_fault(self, output, data):
        assert check("LD202", loss_of("l1_loss", output, data)) == []

    def test_what_is_no_regression(self):
        assert check("LD202", loss_of("binary_cross_entropy_with_logits", TANH, UNIT)) == []

    def test_a_weighted_mark_of_255_is_no_image(self):
        assert check("LD202", loss_of("mse_loss", SIGMOID, EIGHT_BIT, reduction="none")) == []

    def test_components_with_one_cause_are_one_finding(self):
        facts = gradients(l1=(1.0, 1.0), mse=(1.0, 1.0), other=(1.0, 1.0))
        both = [operation(f"{name}_loss", TANH, UNIT, of=name, line=line) for name, line in (("l1", 7), ("mse", 8))]
        finding = the_finding("LD202", case(facts, operations=both, config=STEP))
        assert finding.components == ("l1", "mse")
        assert finding.location.line == 7

    def test_a_component_with_weight_0_is_left_out(self):
        facts = gradients(loss=(1.0, 1.0), weights={"loss": 0.0})
        assert check("LD202", case(facts, operations=[operation("l1_loss", TANH, UNIT, of="loss")])) == []


LOSS = {"components": {"l1": {"term": "l1"}, "lab": {"term": "mse", "space": "lab"}, "tv": {"term": "tv"}}}


class TestBuiltIn:
    def built_in(self, activation, data):
        output = Output("output", IMAGES, "float32", activation, spread(-0.4, 0.5), target=data)
        facts = gradients(l1=(1.0, 1.0), lab=(1.0, 1.0), tv=(1.0, 1.0))
        return case(facts, config=LOSS, outputs=(output,))

    def test_all_that_compare_are_named(self):
        finding = the_finding("LD202", self.built_in("tanh", spread(0.01, 0.99)))
        assert finding.components == ("l1", "lab")

    @pytest.mark.parametrize(
        ("activation", "data"),
        [("tanh", spread(-1, 1)), (None, spread(0, 1)), ("clamp", spread(0, 1)), ("tanh", None)],
    )
    def test_what_fits_or_is_not_known(self, activation, data):
        assert check("LD202", self.built_in(activation, data)) == []


class TestColorScale:
    RAW = operand(spread(40, 60), spread(-9, 12), spread(-11, 2), grad=True, origin=("sub", "rgb_to_lab()"))
    DATA = operand(*LAB, name="target", origin=("sub", "rgb_to_lab()"))
    SCALED = operand(spread(0, 1), spread(-0.6, 0.6), spread(-0.7, 0.6), name="target")
    EIGHT_BITS = operand(spread(23, 240), spread(52, 204, 130, 20), spread(38, 211, 126, 25), name="target")

    def test_raw_against_scaled(self):
        finding = the_finding("LD202", loss_of("mse_loss", self.RAW, self.SCALED))
        assert "LAB in its own units" in finding.message
        assert finding.evidence["prediction"]["L"] == "40 … 60"
        assert finding.evidence["target"]["L"] == "0 … 1"

    def test_scaled_against_raw(self):
        scaled = operand(
            *(spread(-0.3, 0.5),) * 3, grad=True, origin=("div", "losses()", "sub", "rgb_to_lab()", "conv2d")
        )
        assert "with LAB in its own units" in the_finding("LD202", loss_of("mse_loss", scaled, self.DATA)).message

    def test_float_against_8_bits(self):
        assert "8 bits" in the_finding("LD202", loss_of("squared difference", self.RAW, self.EIGHT_BITS)).message

    @pytest.mark.parametrize(
        ("output", "data"),
        [
            (RAW, DATA),
            (RAW, operand(*LAB, name="target")),
            (
                operand(*(spread(-0.3, 0.5),) * 3, grad=True, origin=("div", "losses()", "rgb_to_lab()")),
                operand(*(spread(-0.3, 0.5),) * 3, origin=("div", "losses()", "rgb_to_lab()")),
            ),
            (
                operand(*(spread(0, 0.1),) * 3, grad=True, origin=("mul", "losses()", "rgb_to_lab()")),
                operand(*LAB, name="target", origin=("mul", "losses()", "rgb_to_lab()")),
            ),
            (
                operand(*(spread(0, 0.1),) * 3, grad=True, origin=("losses()", "sub", "rgb_to_lab()")),
                operand(*LAB, name="target"),
            ),
            (operand(*(spread(-5, 40),) * 3, grad=True, origin=("conv2d",)), SCALED),
            (operand(*(spread(-0.3, 0.5),) * 3, grad=True, origin=("rgb_to_lab()", "conv2d")), SCALED),
            (RAW, dataclasses.replace(SCALED, origin=("div", "rgb_to_lab()"))),
            (operand(*(spread(90, 140),) * 3, grad=True, origin=("add", "rgb_to_lab_8bit()")), EIGHT_BITS),
        ],
        ids=[
            "both raw",
            "raw data",
            "both scaled",
            "both masked",
            "a black slice",
            "straight from a layer",
            "a conversion that scales",
            "the same one, and a wild output",
            "8 bits on both sides",
        ],
    )
    def test_one_scale_on_both_sides(self, output, data):
        assert check("LD202", loss_of("mse_loss", output, data)) == []

    def test_other_colours_are_not_judged(self):
        assert check("LD202", loss_of("mse_loss", side(0, 100, grad=True), side(0, 1))) == []
