from __future__ import annotations

import math

import pytest

from lossdoctor.records import Severity

from .cases import after_fix, case, check, gradients, operand, operation, spread, the_finding
from .traced import loss_of, prediction, target

HSV = {"term": "mse", "space": "hsv"}
HUE = (spread(0.006, 6.28), spread(0, 0.98), spread(0.1, 1))
FROM_RGB = ("masked_fill", "rgb_to_hsv()", "mul")


def built_in(**components):
    facts = gradients(**dict.fromkeys(components, (1.0, 1.0)))
    return {"components": components}, case(facts, config={"components": components})


def converted(*channels, origin=FROM_RGB, **more):
    return operand(*channels, origin=origin, **more)


def turn(low, high, std=None, **more):
    return target(low, high, std=std, **{"shape": (64,), **more})


HEADING = prediction(-3, 3, "linear", shape=(64,))


class TestBuiltIn:
    def test_hue_among_the_channels(self):
        finding = the_finding("LD205", built_in(hsv=HSV, rgb={"term": "l1"})[1])
        assert finding.severity is Severity.WARNING
        assert finding.components == ("hsv",)

    @pytest.mark.parametrize(
        ("channels", "in_lab"), [(["H"], ["a", "b"]), (["H", "S"], ["a", "b"]), (["H", "V"], ["L", "a", "b"])]
    )
    def test_the_fix_compares_the_same_in_lab(self, channels, in_lab):
        loss, facts = built_in(color={**HSV, "channels": channels, "normalize": False})
        fixed = after_fix(loss, the_finding("LD205", facts)).loss.components["color"]
        assert (fixed.space, fixed.channels, fixed.normalize) == ("lab", in_lab, True)

    def test_the_fix_of_all_channels(self):
        loss, facts = built_in(color=HSV)
        fixed = after_fix(loss, the_finding("LD205", facts)).loss.components["color"]
        assert (fixed.space, fixed.channels) == ("lab", None)

    @pytest.mark.parametrize(
        "component", [{**HSV, "channels": ["S", "V"]}, {**HSV, "space": "lab"}, {**HSV, "weight": 0}]
    )
    def test_without_hue_nothing_wraps_around(self, component):
        facts = gradients(color=(1.0, 1.0), weights={"color": component.get("weight", 1.0)})
        assert check("LD205", case(facts, config={"components": {"color": component}})) == []


class TestHue:
    @pytest.mark.parametrize("function", ["rgb_to_hsv()", "rgb2hls()", "RgbToHsv()", "to_hsv()"])
    def test_by_the_conversion(self, function):
        data = converted(*HUE, origin=("customized()", "mul", function), name="target")
        finding = the_finding("LD205", loss_of("mse_loss", operand(*HUE, grad=True), data))
        assert finding.severity is Severity.WARNING
        assert finding.evidence["quantity"] == "a hue"
        assert finding.evidence["target"] == [0.006, 6.28]
        assert finding.location.line == 12

    def test_the_hue_alone_in_radians(self):
        sides = converted(HUE[0], grad=True), converted(HUE[0], name="target")
        assert check("LD205", loss_of("absolute difference", *sides))

    @pytest.mark.parametrize(
        ("name", "data", "reduction"),
        [
            ("l1_loss", converted(*HUE[1:]), "mean"),
            ("l1_loss", converted(HUE[1]), "mean"),
            ("l1_loss", converted(*HUE, origin=("mul", "rgb_to_lab()")), "mean"),
            ("l1_loss", converted(*HUE, origin=("mul", "hsv_to_rgb()", "mul", "rgb_to_hsv()")), "mean"),
            ("l1_loss", converted(*HUE, origin=("cos", "losses()", "rgb_to_hsv()")), "mean"),
            ("l1_loss", converted(spread(-1, 1), *HUE[1:]), "mean"),
            ("absolute difference", converted(*HUE), "none"),
            ("cosine_similarity", converted(*HUE), "mean"),
        ],
        ids=[
            "saturation and value",
            "saturation",
            "another space",
            "back in RGB",
            "as a cosine",
            "as a vector",
            "wrapped",
            "no distance",
        ],
    )
    def test_what_does_not_compare_hue_on_a_line(self, name, data, reduction):
        output = operand(*data.channels, grad=True, origin=data.origin)
        assert check("LD205", loss_of(name, output, data, reduction=reduction)) == []

    def test_a_conversion_before_the_network_is_not_its_output(self):
        output = operand(*(spread(0, 1),) * 3, grad=True, origin=("conv2d", "rgb_to_hsv()"))
        assert check("LD205", loss_of("l1_loss", output, operand(*(spread(0, 1),) * 3))) == []


class TestAngle:
    @pytest.mark.parametrize("made_by", ["atan2", "angle"])
    def test_a_prediction_that_is_an_angle(self, made_by):
        angle = prediction(-3.1, 3.0, made_by, "linear", shape=(64,))
        assert "an angle" in the_finding("LD205", loss_of("l1_loss", angle, turn(-3.0, 2.8))).message

    @pytest.mark.parametrize("data", [turn(-3.1, 3.12), turn(0.01, 6.27), turn(-179, 178), turn(1, 359)])
    def test_data_that_fill_a_turn(self, data):
        assert check("LD205", loss_of("mse_loss", HEADING, data))

    def test_a_map_of_phases(self):
        phases = turn(-math.pi, math.pi, shape=(4, 1, 32, 32), channels=[spread(-math.pi, math.pi)])
        assert check("LD205", loss_of("mse_loss", HEADING, phases))

    @pytest.mark.parametrize(
        ("output", "data", "reduction"),
        [
            (prediction(-1, 1, "atan2", shape=(64,)), turn(-1.5, 1.5), "mean"),
            (prediction(-1, 1, "sub", "remainder", shape=(64,)), turn(-3.0, 2.8), "mean"),
            (HEADING, turn(-3.0, 3.0), "mean"),
            (HEADING, turn(-3.1, 3.12, std=1.0), "mean"),
            (HEADING, turn(-4, 4), "mean"),
            (HEADING, turn(0, 255), "mean"),
            (HEADING, turn(-3.1, 3.12), "none"),
            (HEADING, turn(0, 359, shape=(64, 2), channels=(spread(0, 359), spread(0, 359))), "mean"),
            (HEADING, turn(-3.1, 3.12, grad=True), "mean"),
        ],
        ids=[
            "within half a turn",
            "wrapped",
            "ends elsewhere",
            "a bell curve",
            "beyond a turn",
            "pixels",
            "element by element",
            "coordinates",
            "two predictions",
        ],
    )
    def test_what_need_not_wrap_around(self, output, data, reduction):
        assert check("LD205", loss_of("mse_loss", output, data, reduction=reduction)) == []


class TestNames:
    """Few samples do not come near both ends; what the component is called helps."""

    def case_of(self, name, low, high):
        facts = gradients(**{name: (1.0, 1.0), "other": (1.0, 1.0)})
        return case(facts, operations=[operation("l1_loss", HEADING, turn(low, high), of=name)])

    @pytest.mark.parametrize("name", ["yaw", "head_heading", "loss_azimuth", "orientation"])
    def test_a_quantity_that_goes_round(self, name):
        assert the_finding("LD205", self.case_of(name, -2.9, 2.7)).components == (name,)

    @pytest.mark.parametrize(
        ("name", "low", "high"),
        [
            ("joint_angles", -2.9, 2.7),
            ("depth", 0.1, 6.0),
            ("yaw", -1.0, 1.0),
            ("heading", -3.5, 2.9),
            ("hues_and_cries", 0.0, 1.0),
        ],
    )
    def test_one_that_does_not(self, name, low, high):
        assert check("LD205", self.case_of(name, low, high)) == []
