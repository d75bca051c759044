from __future__ import annotations

import pytest

from lossdoctor.facts.anomalies import DeadEnd
from lossdoctor.facts.outputs import Output
from lossdoctor.facts.parameters import ParameterFacts
from lossdoctor.records import Location, Severity

from .cases import PHOTO, PREDICTION, case, check, gradients, operand, operation, spread, the_finding

VARYING = Output("output", (8, 3, 16, 16), "float32", None, spread(-1, 1), channels=(spread(-1, 1),) * 3)
CONSTANT = Output("output", (8, 3, 16, 16), "float32", None, spread(0, 0.5), channels=(spread(0, 0), spread(0.5, 0.5)))


def dead(at_output=None, **more):
    """b is attached, its gradient is exactly zero."""
    return gradients(a=(1.0, 1.0), b=(0.7, 0.0), at_output={} if at_output is None else {"b": at_output}, **more)


def with_zero_layer(*layers, **facts):
    return {"parameters": ParameterFacts(trainable=100, frozen=0, zero_initialised=layers or ("head.weight",)), **facts}


def test_an_attached_component_with_a_zero_gradient_is_an_error():
    finding = the_finding("LD502", case(dead()))
    assert finding.severity is Severity.ERROR
    assert finding.components == ("b",)
    assert finding.evidence == {"values": [0.7, 0.7], "grad_norm": 0.0}
    assert finding.remedy


def test_however_small_another_gradient_is_not_zero():
    assert check("LD502", case(gradients(a=(1.0, 1.0), b=(1.0, 1e-30)))) == []


@pytest.mark.parametrize(
    "facts",
    [
        gradients(a=(1.0, 1.0), b=(1.0, 0.0), detached=["b"]),
        gradients(a=(1.0, 1.0), b=(1.0, 0.0), weights={"b": 0.0}),
        gradients(a=(1.0, 1.0), b=(1.0, 0.0), own={"b": 1e-3}),
        gradients(a=(1.0, 1.0), b=(float("nan"), float("nan"))),
    ],
    ids=["no path", "weight 0", "its own head moves", "not finite"],
)
def test_other_reasons_for_no_gradient_have_other_rules(facts):
    assert check("LD502", case(facts)) == []


def test_a_gradient_in_one_batch_is_enough():
    facts = dead(batches=1)
    (block,) = facts.blocks
    alive = gradients(a=(1.0, 1.0), b=(0.7, 1e-3)).blocks[0].gramians[0]
    blocks = (type(block)("trunk", block.reached_by, 100, (*block.gramians, alive)),)
    twice = type(facts)(**{**vars(facts), "blocks": blocks, "values": facts.values * 2})
    assert check("LD502", case(twice)) == []


def test_a_regularizer_may_rest():
    finding = the_finding("LD502", case(dead(roles={"b": "regularizer"})))
    assert finding.severity is Severity.NOTE


class TestCauses:
    def message(self, *operands, name="mse_loss"):
        finding = the_finding("LD502", case(dead(at_output=0.0), operations=[operation(name, *operands, of="b")]))
        assert finding.location.line == 12
        return finding.message

    def test_a_tensor_compared_with_itself(self):
        assert "compares a tensor with itself" in self.message(PREDICTION, PREDICTION)

    def test_an_operand_without_variation(self):
        assert "constant at 0.1" in self.message(operand(spread(0.1, 0.1), grad=True), PHOTO)

    def test_a_clamp(self):
        assert "was clamped" in self.message(operand(spread(0, 1), grad=True, origin=("clamp",)), PHOTO)

    def test_a_constant_target_is_not_blamed(self):
        assert "constant" not in self.message(PREDICTION, operand(spread(0.1, 0.1)))


class TestZeroInitialisedLayers:
    def severity(self, facts, **more):
        return the_finding("LD502", case(facts, **with_zero_layer(**more))).severity

    def test_where_the_gradient_reaches_the_output_the_layer_stops_it(self):
        finding = the_finding("LD502", case(dead(at_output=2.0), **with_zero_layer(outputs=(VARYING,))))
        assert finding.severity is Severity.NOTE
        assert "head.weight starts at zero" in finding.message
        assert finding.evidence["zero_initialised"] == ["head.weight"]

    def test_where_the_layer_makes_the_output_at_which_the_loss_is_flat(self):
        """Total variation of an image that is still 0 everywhere."""
        assert self.severity(dead(at_output=0.0), outputs=(CONSTANT,)) is Severity.NOTE

    def test_where_a_residual_network_still_returns_its_input(self):
        same = operand(spread(0, 1), grad=True), operand(spread(0, 1))
        facts = with_zero_layer(outputs=(VARYING,), operations=[operation("l1_loss", *same, of="b")])
        assert the_finding("LD502", case(dead(at_output=0.0), **facts)).severity is Severity.NOTE

    def test_it_excuses_nothing_where_the_loss_is_flat_at_an_output_that_varies(self):
        clamped = operand(spread(0, 0), grad=True, origin=("clamp",))
        facts = with_zero_layer(outputs=(VARYING,), operations=[operation("l1_loss", clamped, PHOTO, of="b")])
        finding = the_finding("LD502", case(dead(at_output=0.0), **facts))
        assert finding.severity is Severity.ERROR
        assert "head.weight" not in finding.message

    def test_what_is_added_stops_no_gradient(self):
        facts = with_zero_layer("pos_embed", "cls_token", outputs=(VARYING,))
        assert the_finding("LD502", case(dead(at_output=2.0), **facts)).severity is Severity.ERROR

    def test_without_knowing_the_output_it_is_believed(self):
        assert self.severity(dead(at_output=0.0)) is Severity.NOTE
        assert self.severity(dead(), outputs=(VARYING,)) is Severity.NOTE


def test_names_where_the_gradient_ends():
    end = DeadEnd("total", "b", "relu", met=False, location=Location("gan.py", 12))
    finding = the_finding("LD502", case(dead(), dead_ends=(end,)))
    assert finding.severity is Severity.ERROR
    assert "relu" in finding.message
    assert finding.location == end.location


def test_a_hinge_that_is_met_has_nothing_left_to_lower():
    finding = the_finding("LD502", case(dead(), dead_ends=(DeadEnd("total", "b", "clamp", met=True),)))
    assert finding.severity is Severity.NOTE
    assert "least" in finding.message


def test_a_dead_end_of_another_component_says_nothing():
    finding = the_finding("LD502", case(dead(), dead_ends=(DeadEnd("total", "a", "clamp", met=True),)))
    assert finding.severity is Severity.ERROR


def test_what_nothing_is_selected_for_yet_is_excused():
    end = DeadEnd("total", "b", "mul", met=False, selects=True)
    finding = the_finding("LD502", case(dead(), dead_ends=(end,)))
    assert finding.severity is Severity.NOTE
    assert "no surer" in finding.message
