"""LD404: what is lower beside the target, and whether the output is in the target's units."""

from dataclasses import replace

import pytest

from lossdoctor.diagnose import diagnose
from lossdoctor.facts.operands import Slope
from lossdoctor.facts.outputs import Output
from lossdoctor.facts.probes import Optimum

from .cases import case, check, gradients, operation, spread, the_finding
from .traced import prediction, target


def at_target(value, lower, unrelated, component="a", **more):
    return Optimum(
        "total",
        component,
        value,
        lower,
        unrelated,
        **{"uses_target": True, "output": "output", "target": "target", "given": spread(0, 1), **more},
    )


RIGHT = at_target(0.0, 0.0, 1.0, "b")


def examined(*optima, weight=1.0, slope=0.1, bounded=False, activation=None, span=(0.0, 1.0), name_of_a="mse_loss"):
    traced = [
        replace(
            operation(name_of_a if name == "a" else "mse_loss", prediction(-1, 1), target(-2, 2), of=name),
            slopes={f"total.{name}": Slope(slope, slope, uniform=True, bounded=bounded)},
        )
        for name in "ab"
    ]
    output = Output("output", (8, 10), "float32", activation, spread(0, 1), target=spread(*span))
    return case(
        gradients(a=(1.0, 1.0), b=(1.0, 1.0), weights={"a": weight}),
        operations=traced,
        optima=optima,
        outputs=(output,),
    )


def test_another_component_says_that_the_target_is_right():
    finding = the_finding("LD404", examined(at_target(0.3, 0.1, 0.5), RIGHT))
    assert finding.components == ("a",)
    assert finding.evidence["gain"] == pytest.approx(0.5)
    assert finding.evidence["at_the_target"] == 0.3


def test_the_activation_says_it():
    wrong = at_target(0.3, 0.1, 0.5)
    assert check("LD404", examined(wrong, activation="sigmoid"))
    assert not check("LD404", examined(replace(wrong, given=spread(-1.0, 1.0)), activation="sigmoid"))
    assert not check("LD404", examined(wrong, activation=None))


@pytest.mark.parametrize(
    "optimum",
    [
        at_target(0.3, 0.3, 0.5),
        at_target(5.0, 4.99, 5.5),  # a floor and a regularizer
        at_target(0.3, 0.1, 0.5, uses_target=False),
        at_target(1e-4, 4e-5, 1.0),
        at_target(-3.0, -3.01, -2.0),
    ],
)
def test_no_gain(optimum):
    assert check("LD404", examined(optimum, RIGHT)) == []


def test_most_of_a_small_value_can_be_avoided():
    assert check("LD404", examined(at_target(0.02, 0.005, 1.0), RIGHT))


@pytest.mark.parametrize(
    ("name", "found"), [("overlap of boxes", True), ("cosine_similarity", True), ("overlap", False), ("kl_div", False)]
)
def test_comparisons_that_are_at_their_best_where_both_sides_are_the_same(name, found):
    """GIoU of corners with centres. A soft Dice is at its best where the mask is surest."""
    assert bool(check("LD404", examined(at_target(0.3, 0.1, 0.5), RIGHT, name_of_a=name))) is found


def test_what_does_not_compare():
    assert check("LD404", examined(at_target(0.3, 0.1, 0.5), RIGHT, bounded=True)) == []
    alone = replace(examined(at_target(0.3, 0.1, 0.5), RIGHT))
    assert check("LD404", replace(alone, examination=replace(alone.examination, operations=()))) == []


def test_other_outputs_say_nothing():
    assert check("LD404", examined(at_target(0.3, 0.1, 0.5), replace(RIGHT, output="output[1]"))) == []


@pytest.mark.parametrize(("value", "lower", "found"), [(7.0, 0.01, 1), (7.0, 6.0, 0), (0.01, 0.01, 0)])
def test_classes(value, lower, found):
    assert len(check("LD404", examined(at_target(value, lower, 7.0, classes=True)))) == found


def test_a_teacher_needs_nobody_else():
    finding = the_finding("LD404", examined(at_target(0.3, 0.1, 0.5, level="operation")))
    assert finding.evidence["level"] == "operation"
    assert "same temperature" in finding.remedy


def test_a_wrong_sign_is_why():
    facts = examined(at_target(0.3, 0.1, 0.5), RIGHT, slope=-0.1)
    codes = {finding.code: finding.explained_by for finding in diagnose(facts)[0] if finding.components == ("a",)}
    assert codes["LD404"] == "LD403"
