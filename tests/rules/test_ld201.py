from __future__ import annotations

import math

import pytest

from lossdoctor.records import Severity

from .cases import (
    LAB,
    LAB_DATA,
    LAB_PREDICTION,
    PHOTO,
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

STEP = {"step": "my_project.train:losses"}
RAW = {"term": "mse", "space": "lab", "normalize": False}
FOUNDING = {
    "components": {
        "perceptual": {"term": "perceptual", "pretrained": "random", "weight": 1.0},
        "lab": {**RAW, "weight": 1.0},
        "ab": {**RAW, "channels": ["a", "b"], "weight": 2.0},
    }
}
WEIGHTS = {"perceptual": 1.0, "lab": 1.0, "ab": 2.0}


def founding_case(perceptual=0.1, **more):
    """The gradients are made up, the values are the founding case's."""
    return gradients(perceptual=(0.97, perceptual), lab=(679.88, 240.0), ab=(791.08, 240.0), weights=WEIGHTS, **more)


def color(*operations, share=0.999, **more):
    """A component `color` of user code beside another one."""
    facts = gradients(color=(600.0, share), other=(1.0, 1 - share), **more)
    return case(facts, operations=operations, config=STEP)


def converted(*channels, by="rgb_to_lab()", before=(), **more):
    return operand(*channels, origin=(*before, by, "mul"), **more)


class TestBuiltIn:
    def test_the_founding_case_is_one_error_of_both_components(self):
        finding = the_finding("LD201", case(founding_case(), config=FOUNDING))
        assert finding.severity is Severity.ERROR
        assert finding.components == ("lab", "ab")
        assert finding.evidence["total"] == pytest.approx(2263.01)
        assert finding.evidence["joint_share"] == pytest.approx(720 / 720.1)
        assert finding.evidence["smallest_other"] == {"perceptual": pytest.approx(0.1 / 720.1)}
        assert set(finding.evidence["channels"]["lab"]) == {"L", "a", "b"}
        assert set(finding.evidence["channels"]["ab"]) == {"a", "b"}

    def test_the_ranges_are_those_of_the_data(self):
        traced = [operation("mse_loss", LAB_PREDICTION, LAB_DATA, of="lab", line=None)]
        finding = the_finding("LD201", case(founding_case(), config=FOUNDING, operations=traced))
        assert finding.evidence["channels"]["lab"]["L"] == "0.4 … 98.9"

    def test_the_fix_normalizes_all_of_them(self):
        finding = the_finding("LD201", case(founding_case(), config=FOUNDING))
        fixed = after_fix(FOUNDING, finding)
        assert all(fixed.loss.components[name].normalize for name in ("lab", "ab"))
        assert check("LD201", case(founding_case(), config=fixed)) == []

    @pytest.mark.parametrize(
        ("joint", "severity"),
        [(99.0, Severity.ERROR), (98.9, Severity.WARNING), (95.0, Severity.WARNING), (94.9, Severity.NOTE)],
    )
    def test_the_joint_share_is_the_effect(self, joint, severity):
        facts = gradients(lab=(1.0, joint - 40), ab=(1.0, 40.0), perceptual=(1.0, 100 - joint))
        assert the_finding("LD201", case(facts, config=FOUNDING)).severity is severity

    @pytest.mark.parametrize(
        ("left", "severity"),
        [(0.099, Severity.ERROR), (0.1, Severity.WARNING), (0.499, Severity.WARNING), (0.5, Severity.NOTE)],
    )
    def test_what_is_left_to_another_is_the_effect(self, left, severity):
        loss = {"components": {**FOUNDING["components"], "l1": {"term": "l1"}}}
        facts = gradients(lab=(1.0, 90.0), perceptual=(1.0, left), l1=(1.0, 10 - left))
        assert the_finding("LD201", case(facts, config=loss)).severity is severity

    def test_who_is_starved_by_others_is_not_its_effect(self):
        """LAB holds a fifth; without it the perceptual term would have 0.06 % in place of 0.05 %."""
        loss = {"components": {**FOUNDING["components"], "l1": {"term": "l1"}}}
        facts = gradients(lab=(1.0, 20.0), perceptual=(1.0, 0.05), l1=(1.0, 79.95))
        assert the_finding("LD201", case(facts, config=loss)).severity is Severity.NOTE

    def test_raw_units_that_a_weight_balances_are_somebodys_choice(self):
        weights = {"lab": 1e-3, "ab": 1e-3, "perceptual": 1.0}
        facts = gradients(lab=(680.0, 240.0), ab=(790.0, 240.0), perceptual=(0.97, 0.5), weights=weights)
        finding = the_finding("LD201", case(facts, config=FOUNDING))
        assert finding.severity is Severity.NOTE
        assert finding.fix is None  # normalising would upset the balance

    @pytest.mark.parametrize(
        "facts",
        [
            gradients(lab=(1.0, 1.0), ab=(1.0, 1.0)),
            gradients(lab=(1.0, 1.0), tv=(1.0, 1e-9), roles={"tv": "regularizer"}),
            gradients(lab=(1.0, 1.0), perceptual=(1.0, 1e-9), detached=["perceptual"]),
            gradients(lab=(1.0, 1.0), perceptual=(1.0, 0.0)),
            gradients(lab=(1.0, 1.0), perceptual=(1.0, 1e-9), weights={"perceptual": 0.0}),
        ],
        ids=["alone", "regularizer", "detached", "no gradient", "weight 0"],
    )
    def test_without_anybody_to_harm_it_is_a_note(self, facts):
        assert the_finding("LD201", case(facts, config=FOUNDING)).severity is Severity.NOTE

    @pytest.mark.parametrize(
        "component",
        [
            {"term": "mse", "space": "lab"},
            {"term": "mse", "space": "rgb", "normalize": False},
            {"term": "mse", "space": "yuv", "normalize": False},
            {"term": "mse", "space": "hsv", "channels": ["S", "V"], "normalize": False},
            {"term": "ssim", "space": "lab", "normalize": False},
            {"term": "perceptual", "pretrained": "random"},
        ],
        ids=["normalized", "rgb", "yuv", "saturation", "ssim", "perceptual"],
    )
    def test_units_of_about_1_are_no_fault(self, component):
        loss = {"components": {"color": component, "other": {"term": "l1"}}}
        assert check("LD201", case(gradients(color=(1.0, 999.0), other=(1.0, 1.0)), config=loss)) == []

    @pytest.mark.parametrize("term", ["mse", "l1", "smooth_l1", "charbonnier", "tv", "gradient"])
    @pytest.mark.parametrize("space", ["lab", "luv", "hsv"])
    def test_every_distance_in_every_raw_space(self, term, space):
        loss = {"components": {"color": {"term": term, "space": space, "normalize": False}, "other": {"term": "l1"}}}
        facts = case(gradients(color=(1.0, 999.0), other=(1.0, 1.0)), config=loss)
        assert the_finding("LD201", facts).severity is Severity.ERROR

    def test_a_component_with_weight_0_is_not_compared(self):
        facts = gradients(lab=(1.0, 99.0), ab=(1.0, 1.0), perceptual=(1.0, 0.1), weights={"ab": 0.0})
        assert the_finding("LD201", case(facts, config=FOUNDING)).components == ("lab",)


class TestUserCode:
    @pytest.mark.parametrize(
        "by",
        ["rgb_to_lab()", "rgb2lab()", "RGB2LAB()", "bgr_to_lab()", "RgbToLab()", "xyz_to_lab()", "rgb_to_lab_torch()"],
    )
    def test_the_conversion_is_recognised_by_name(self, by):
        finding = the_finding("LD201", color(operation("mse_loss", PREDICTION, converted(*LAB, by=by), of="color")))
        assert finding.severity is Severity.ERROR
        assert "compares CIELAB in raw units" in finding.message
        assert finding.evidence["channels"] == {"color": {"L": "0.4 … 98.9", "a": "-61 … 72", "b": "-85 … 80"}}

    def test_the_location_is_the_line_that_compares(self):
        facts = color(operation("mse_loss", PREDICTION, converted(*LAB), of="color", line=33))
        assert the_finding("LD201", facts).location.line == 33

    def test_a_prediction_that_was_converted_is_judged_by_the_data(self):
        """An untrained prediction may have any range."""
        wild = converted(spread(-300, 500), spread(-90, 90), spread(-80, 80), grad=True)
        scaled = operand(spread(0, 1), spread(0, 1), spread(0, 1))
        assert check("LD201", color(operation("mse_loss", wild, scaled, of="color"))) == []
        assert check("LD201", color(operation("mse_loss", wild, LAB_DATA, of="color")))

    @pytest.mark.parametrize(
        "channels",
        [
            [spread(0, 1), spread(0.2, 0.8), spread(0.1, 0.9)],
            [spread(-1, 1), spread(-0.6, 0.6), spread(-0.7, 0.7)],
            [spread(-2.2, 1.9, 0, 1), spread(-6.0, 7.1, 0, 1), spread(-8.4, 5.0, 0, 1)],
        ],
        ids=["[0, 1]", "L/50 − 1, ab/110", "standardised"],
    )
    def test_channels_that_were_scaled_are_no_fault(self, channels):
        data = converted(*channels, before=("truediv", "losses()"))
        assert check("LD201", color(operation("mse_loss", PREDICTION, data, of="color"))) == []

    def test_chroma_alone(self):
        finding = the_finding("LD201", color(operation("l1_loss", PREDICTION, converted(*LAB[1:]), of="color")))
        assert set(finding.evidence["channels"]["color"]) == {"channel 0", "channel 1"}

    @pytest.mark.parametrize("photo", [(0.0, 2 * math.pi), (0.0, 360.0)])
    def test_hue_in_radians_or_degrees(self, photo):
        data = converted(spread(*photo), spread(0, 1), spread(0, 1), by="rgb_to_hsv()")
        assert "HSV" in the_finding("LD201", color(operation("l1_loss", PREDICTION, data, of="color"))).message

    def test_luma_in_video_range(self):
        data = converted(spread(16, 235), spread(16, 240), spread(16, 240), by="rgb2ycbcr()")
        assert "YCbCr" in the_finding("LD201", color(operation("l1_loss", PREDICTION, data, of="color"))).message

    @pytest.mark.parametrize("by", ["rgb_to_yuv()", "rgb_to_ycbcr()", "rgb_to_xyz()"])
    def test_spaces_with_units_of_about_1(self, by):
        data = converted(spread(0, 1), spread(-0.4, 0.4), spread(-0.6, 0.6), by=by)
        assert check("LD201", color(operation("l1_loss", PREDICTION, data, of="color"))) == []

    @pytest.mark.parametrize("shape", [(8, 16, 16, 3), (3, 64, 64)], ids=["channels last", "unbatched"])
    def test_channels_that_are_not_in_dimension_1(self, shape):
        rows = (spread(-85, 99),) * 16
        data = converted(*rows, shape=shape, overall=spread(-85, 99, 20, 30))
        assert check("LD201", color(operation("mse_loss", PREDICTION, data, of="color")))

    def test_what_was_converted_back_is_rgb(self):
        data = converted(spread(0, 3), spread(0, 3), spread(0, 3.5), before=("clamp", "lab_to_rgb()"))
        assert check("LD201", color(operation("mse_loss", PREDICTION, data, of="color"))) == []

    def test_features_of_a_network_that_saw_lab_are_no_colour(self):
        features = converted(*(spread(0, 40),) * 64, before=("relu", "conv2d", "Backbone()"))
        assert check("LD201", color(operation("mse_loss", PREDICTION, features, of="color"))) == []

    def test_a_model_that_was_given_lab_does_not_predict_lab(self):
        ages = operand(spread(18, 90), shape=(8, 1), name="target")
        predicted = operand(
            spread(-1, 1), shape=(8, 1), grad=True, origin=("linear", "Net()", "relu", "conv2d", "rgb_to_lab()")
        )
        assert check("LD201", color(operation("mse_loss", predicted, ages, of="color"))) == []

    def test_a_blurred_target_is_still_colour(self):
        blurred = converted(*LAB[1:], before=("conv2d", "blur()"))
        assert check("LD201", color(operation("mse_loss", PREDICTION, blurred, of="color")))

    def test_a_conversion_may_end_in_a_convolution(self):
        predicted = operand(*LAB[1:], grad=True, origin=("conv2d", "rgb_to_lab()"))
        assert check("LD201", color(operation("mse_loss", predicted, operand(*LAB[1:]), of="color")))

    def test_data_in_cielab_that_was_loaded_so(self):
        finding = the_finding("LD201", color(operation("mse_loss", PREDICTION, LAB_DATA, of="color")))
        assert "values with the ranges of CIELAB" in finding.message

    @pytest.mark.parametrize(
        "target",
        [
            PHOTO,
            operand(spread(0, 255), spread(0, 255), spread(0, 255)),
            operand(spread(0, 80), spread(0, 40), spread(0, 40)),
            operand(spread(0, 98), spread(-200, 180), spread(-90, 90)),
            operand(spread(280, 310), spread(-20, 20), spread(-20, 20)),
            operand(spread(0, 1), spread(-30, 30), spread(-30, 30)),
            operand(spread(0, 25, 14, 5), spread(-30, 30), spread(-30, 30)),
            operand(spread(0, 80, 4, 9), spread(-30, 30), spread(-30, 30)),
            operand(*LAB, grad=True),
        ],
        ids=[
            "RGB",
            "8 bit",
            "unsigned",
            "optical flow",
            "weather",
            "mask and offsets",
            "small",
            "sparse",
            "a prediction",
        ],
    )
    def test_what_has_other_ranges_is_not_taken_for_cielab(self, target):
        assert check("LD201", color(operation("mse_loss", PREDICTION, target, of="color"))) == []

    def test_what_does_not_depend_on_units_is_no_fault(self):
        assert check("LD201", color(operation("cosine_similarity", PREDICTION, converted(*LAB), of="color"))) == []

    def test_the_operation_of_another_component_is_not_blamed(self):
        assert the_finding(
            "LD201", color(operation("mse_loss", PREDICTION, converted(*LAB), of="other"))
        ).components == ("other",)

    def test_user_code_has_no_fix_in_the_config(self):
        assert the_finding("LD201", color(operation("mse_loss", PREDICTION, LAB_DATA, of="color"))).fix is None
