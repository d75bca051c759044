from __future__ import annotations

from dataclasses import replace

import pytest

from lossdoctor.records import Severity

from .cases import (
    LAB_DATA,
    PHOTO,
    PHOTO_255,
    PREDICTION,
    after_fix,
    case,
    check,
    gradients,
    operand,
    operation,
    spread,
    the_finding,
)
from .traced import loss_of, side

STEP = {"step": "my_project.train:losses"}


def pixels(data, name="l1_loss", share=0.999, **more):
    facts = gradients(pix=(60.0, share), other=(1.0, 1 - share), **more)
    return case(facts, operations=[operation(name, PREDICTION, data, of="pix")], config=STEP)


def ssim(**options):
    loss = {"components": {"ssim": {"term": "ssim", "weight": 1.0, **options}, "l1": {"term": "l1", "weight": 1.0}}}
    return loss, case(gradients(ssim=(0.007, 1e-4), l1=(0.1, 0.1)), config=loss)


class TestPixels:
    def test_fires_with_range_operation_and_line(self):
        finding = the_finding("LD203", pixels(PHOTO_255))
        assert finding.severity is Severity.ERROR
        assert finding.components == ("pix",)
        assert finding.evidence["maximum"] == 255
        assert finding.evidence["joint_share"] == pytest.approx(0.999)
        assert finding.location.line == 12

    @pytest.mark.parametrize(("share", "severity"), [(0.96, Severity.WARNING), (0.5, Severity.NOTE)])
    def test_the_effect_decides(self, share, severity):
        assert the_finding("LD203", pixels(PHOTO_255, share=share)).severity is severity

    def test_components_with_the_same_cause_are_one_finding(self):
        facts = gradients(l1=(60.0, 0.5), mse=(60.0, 0.495), other=(1.0, 0.005))
        both = [operation(f"{name}_loss", PREDICTION, PHOTO_255, of=name) for name in ("l1", "mse")]
        finding = the_finding("LD203", case(facts, operations=both))
        assert finding.components == ("l1", "mse")
        assert finding.severity is Severity.ERROR

    @pytest.mark.parametrize("name", ["mse_loss", "smooth_l1_loss", "huber_loss", "squared difference"])
    def test_every_distance(self, name):
        assert check("LD203", pixels(PHOTO_255, name=name))

    @pytest.mark.parametrize(
        "data",
        [
            operand(spread(0, 255)),
            operand(*(spread(0, 255),) * 16, shape=(8, 16, 16, 3)),
            operand(*(spread(0, 255),) * 3, shape=(2, 3, 8, 16, 16)),
            operand(*(spread(0, 231),) * 3, dtype="float16"),
        ],
        ids=["grey", "channels last", "video", "half precision"],
    )
    def test_images_of_every_layout(self, data):
        assert check("LD203", pixels(data))

    @pytest.mark.parametrize(
        "data",
        [
            PHOTO,
            LAB_DATA,
            operand(spread(0, 100.0001, 50, 25)),
            operand(spread(0, 80)),
            operand(spread(0, 192)),
            operand(spread(0, 3000)),
            operand(spread(-255, 255)),
            operand(spread(180, 250)),
            operand(spread(0, 255), shape=(8, 1)),
            operand(*(spread(0, 255),) * 3, shape=(8, 3, 500)),
            operand(*(spread(0, 255),) * 5),
            operand(spread(0, 255), dtype="int64"),
            operand(spread(0, 255), spread(0, 1), spread(0, 1)),
            operand(*(spread(0, 255),) * 3, grad=True),
        ],
        ids=[
            "[0, 1]",
            "CIELAB",
            "lightness",
            "depth in metres",
            "disparity",
            "depth in millimetres",
            "signed",
            "brightness temperature",
            "ages",
            "vital signs",
            "five bands",
            "class ids",
            "one of three channels",
            "a prediction",
        ],
    )
    def test_other_data_is_not_taken_for_pixels(self, data):
        assert check("LD203", pixels(data)) == []

    @pytest.mark.parametrize("name", ["cross_entropy", "poisson_nll_loss", "cosine_similarity", "kl_div"])
    def test_what_is_no_distance_does_not_depend_on_the_scale(self, name):
        assert check("LD203", pixels(PHOTO_255, name=name)) == []

    def test_raw_colour_has_its_own_rule(self):
        data = operand(*(spread(16, 240),) * 3, origin=("rgb2ycbcr()",))
        assert check("LD203", pixels(data)) == []
        assert check("LD201", pixels(data))

    def test_a_component_with_weight_0_is_left_out(self):
        assert check("LD203", pixels(PHOTO_255, weights={"pix": 0.0})) == []


class TestDataRange:
    def test_255_on_images_in_0_to_1_blunts_the_term(self):
        finding = the_finding("LD203", ssim(data_range=255)[1])
        assert finding.severity is Severity.WARNING
        assert finding.components == ("ssim",)
        assert finding.evidence == {"data_range": 255.0, "span": 1.0}
        assert "blunts" in finding.message

    def test_after_the_fix_it_fits(self):
        loss, facts = ssim(data_range=255)
        fixed = after_fix(loss, the_finding("LD203", facts))
        assert fixed.loss.components["ssim"].data_range == 1.0
        assert check("LD203", case(gradients(ssim=(0.5, 1.0), l1=(0.1, 0.1)), config=fixed)) == []

    @pytest.mark.parametrize(
        "options", [{"data_range": 2}, {"data_range": 0.5}, {"term": "ms_ssim", "data_range": 255}]
    )
    def test_too_wide_and_too_narrow(self, options):
        assert check("LD203", ssim(**options)[1])

    @pytest.mark.parametrize(
        "options",
        [
            {},
            {"data_range": 1},
            {"space": "lab", "normalize": False, "data_range": 256},
            {"space": "lab", "channels": ["L"], "normalize": False, "data_range": 100},
            {"data_range": 255, "weight": 0},
        ],
    )
    def test_a_range_that_fits_is_no_fault(self, options):
        assert check("LD203", ssim(**options)[1]) == []

    def test_range_factor_is_an_option(self):
        assert check("LD203", ssim(data_range=2)[1], range_factor=2.0) == []


TWICE = operand(*(spread(0, 65_025),) * 3)
BOXES = operand(spread(0, 90), spread(0, 80), spread(20, 128), spread(30, 120), shape=(12, 4))


class TestOtherScales:
    def test_multiplied_by_255_twice(self):
        finding = the_finding("LD203", pixels(TWICE))
        assert finding.severity is Severity.ERROR
        assert "twice" in finding.message

    def test_boxes_in_pixels(self):
        finding = the_finding("LD203", pixels(BOXES, name="squared difference"))
        assert finding.severity is Severity.ERROR
        assert "boxes in pixels" in finding.message

    @pytest.mark.parametrize(
        "data",
        [
            operand(*(spread(0, 1),) * 4, shape=(12, 4)),  # normalised
            operand(spread(0, 3), spread(0, 3), spread(0, 3.4), spread(0, 4), shape=(12, 4)),  # in anchors
            operand(spread(20, 128), spread(0, 80), spread(0, 90), spread(30, 120), shape=(12, 4)),  # no boxes
            operand(spread(-40, 90), *(spread(0, 120),) * 3, shape=(12, 4)),
        ],
    )
    def test_other_rows_of_four(self, data):
        assert check("LD203", pixels(data)) == []

    @pytest.mark.parametrize("data", [PHOTO_255, BOXES])
    def test_a_difference_that_is_divided_by_the_range(self, data):
        facts = gradients(pix=(60.0, 0.999), other=(1.0, 0.001))
        compared = operation("absolute difference", PREDICTION, data, of="pix")
        scaled = replace(compared, arguments={"factor": 1 / data.overall.maximum})
        assert check("LD203", case(facts, operations=[scaled], config=STEP)) == []

    def test_images_that_enter_a_conversion_of_colours(self):
        facts = gradients(pix=(60.0, 0.999), other=(1.0, 0.001))
        entered = replace(operation("color conversion", PHOTO_255, of="pix"), arguments={"function": "rgb_to_lab"})
        finding = the_finding("LD203", case(facts, operations=[entered], config=STEP))
        assert "rgb_to_lab" in finding.message
        assert finding.evidence["maximum"] == 255


def means(largest, data_range):
    return loss_of("ssim", side(0, largest, grad=True), data_range=data_range)


class TestConstantsOfSsim:
    @pytest.mark.parametrize(
        ("largest", "data_range", "consequence"),
        [(1.4, 255.0, "blunts"), (2 * 250.0**2, 1.0, "noise"), (2 * 6e4**2, 255.0, "noise")],
        ids=["255 on [0, 1]", "1 on [0, 255]", "255 on 65,025"],
    )
    def test_another_range(self, largest, data_range, consequence):
        finding = the_finding("LD203", means(largest, data_range))
        assert finding.severity is Severity.WARNING
        assert finding.components == ("loss",)
        assert consequence in finding.message
        assert finding.evidence["data_range"] == data_range

    @pytest.mark.parametrize(
        ("largest", "data_range"),
        [(1.9, 1.0), (0.02, 1.0), (1.9, 2.0), (2 * 200.0**2, 255.0), (0.0, 1.0)],
        ids=["bright", "dark: means of a tenth", "[-1, 1]", "8 bits", "black"],
    )
    def test_its_own_range(self, largest, data_range):
        assert check("LD203", means(largest, data_range)) == []
