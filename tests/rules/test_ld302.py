from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from lossdoctor.records import Severity
from lossdoctor.rules.ld302_silent_broadcast import broadcast

from .cases import case, check, gradients, operation, spread, the_finding
from .traced import STEP, loss_of, prediction, side, target


def shapes(first, second, name="mse_loss", **arguments):
    return loss_of(name, prediction(-1, 1.5, shape=first), target(-2, 2.5, shape=second), **arguments)


class TestFires:
    def test_losses_and_weights(self):
        finding = the_finding("LD302", shapes((16,), (16, 1), "weighted losses", reduction="none"))
        assert "weighs losses by weights, [16] with [16, 1]" in finding.message
        assert "256 products in place of 16" in finding.message

    def test_a_column_against_a_row(self):
        finding = the_finding("LD302", shapes((16, 1), (16,)))
        assert finding.severity is Severity.ERROR
        assert finding.components == ("loss",)
        assert finding.evidence["shapes"] == ["[16, 1]", "[16]"]
        assert (finding.evidence["differences"], finding.evidence["elements"]) == (256, 16)
        assert finding.location.line == 12

    def test_the_value_of_a_perfect_prediction_is_twice_the_variance(self):
        """Checked against numpy: the mean over all pairs of (y - y')²."""
        y = np.random.default_rng(0).normal(size=16)
        facts = loss_of(
            "mse_loss",
            prediction(-1, 1, shape=(16, 1)),
            target(y.min(), y.max(), mean=y.mean(), std=y.std(), shape=(16,)),
        )
        expected = np.mean((y[:, None] - y) ** 2)
        assert the_finding("LD302", facts).evidence["value_of_a_perfect_prediction"] == pytest.approx(expected)

    @pytest.mark.parametrize(
        ("first", "second"),
        [
            ((4, 1, 10, 12), (4, 10, 12)),
            ((4, 10, 12), (4, 1, 10, 12)),
            ((4, 1, 300), (4, 300)),
            ((8, 5, 1), (5,)),
            ((6, 6, 6, 1), (6, 6, 6)),
        ],
    )
    @pytest.mark.parametrize("name", ["l1_loss", "huber_loss", "squared difference", "absolute difference"])
    def test_maps_signals_and_series(self, first, second, name):
        assert check("LD302", shapes(first, second, name))

    @pytest.mark.parametrize(("first", "second"), [((16, 1), (16,)), ((4, 1, 10, 12), (4, 10, 12))])
    def test_numbers_and_maps_that_are_weighted_or_masked(self, first, second):
        assert check("LD302", shapes(first, second, "squared difference", reduction="none"))

    def test_a_loss_of_torch_however_it_is_reduced(self):
        assert check("LD302", shapes((16, 1), (16,), reduction="none"))

    def test_a_target_that_was_widened_before(self):
        assert "[16, 1] with [16, 16]" in the_finding("LD302", shapes((16, 1), (16, 16))).message

    @pytest.mark.parametrize(("first", "second"), [((16, 1), (16, 5)), ((1, 1), (1, 1))])
    def test_several_targets_of_a_sample_are_meant(self, first, second):
        assert check("LD302", shapes(first, second)) == []


class TestSilent:
    @pytest.mark.parametrize(
        ("first", "second"),
        [
            ((16, 1), (16, 1)),
            ((16,), (16,)),
            ((16, 1), ()),
            ((16, 1), (1,)),
            ((1, 1), (1,)),
            ((1, 1, 8, 8), (1, 8, 8)),
            ((4, 3, 8, 8), (4, 1, 1, 1)),
            ((4, 3, 8, 8), (3, 8, 8)),
            ((4, 8, 8), (8, 8)),
            ((16, 1), (1, 16)),
            ((16, 1, 5), (1, 7, 5)),
            ((16, 1, 5), (7, 5)),
            ((16, 1), (7,)),
            ((16, 51), (16, 1)),
            ((32, 16), (16,)),
        ],
        ids=str,
    )
    def test_what_is_meant_or_does_no_harm(self, first, second):
        assert check("LD302", shapes(first, second)) == []

    def test_labels_that_are_all_the_same(self):
        facts = loss_of("mse_loss", prediction(-1, 1, shape=(16, 1)), target(1, 1, shape=(16,)))
        assert check("LD302", facts) == []

    def test_a_tensor_against_itself(self):
        z = prediction(-1, 1, shape=(16, 1, 5))
        facts = loss_of("absolute difference", z, dataclasses.replace(z, shape=(16, 5), requires_grad=False))
        assert check("LD302", facts) == []

    def test_all_pairs_of_two_predictions(self):
        """A squared surrogate of the area under the curve: positive against negative scores."""
        scores = prediction(-1, 1, shape=(16, 1)), prediction(-2, 2, shape=(16,))
        assert check("LD302", loss_of("squared difference", *scores)) == []

    def test_pairs_that_are_looked_at_one_by_one(self):
        assert check("LD302", shapes((16, 1, 5), (16, 5), "squared difference", reduction="none")) == []

    @pytest.mark.parametrize("name", ["cosine_similarity", "cdist", "cross_entropy", "norm of a difference"])
    def test_what_is_not_compared_element_by_element(self, name):
        assert check("LD302", shapes((16, 1), (16,), name)) == []

    def test_a_loss_of_one_operand(self):
        facts = case(gradients(a=(1.0, 1.0)), operations=[operation("mse_loss", side(0, 1), of="a")], config=STEP)
        assert check("LD302", facts) == []

    def test_a_cut_has_no_operands(self):
        facts = case(gradients(a=(1.0, 1.0)), operations=[operation("mse_loss", of="a", cuts=True)], config=STEP)
        assert check("LD302", facts) == []


@pytest.mark.parametrize("seed", range(200))
def test_shapes_are_broadcast_as_numpy_does(seed):
    dice = np.random.default_rng(seed)
    a, b = (tuple(dice.choice([1, 1, 2, 3], dice.integers(0, 4)).tolist()) for _ in range(2))
    try:
        expected = np.broadcast_shapes(a, b)
    except ValueError:
        expected = None
    assert broadcast(a, b) == expected


def test_two_components_with_the_same_shapes_are_one_finding():
    facts = gradients(a=(1.0, 1.0), b=(1.0, 1.0))
    sides = prediction(-1, 1, shape=(16, 1)), target(-2, 2, shape=(16,), channels=(spread(-2, 2),))
    both = [operation("mse_loss", *sides, of=name) for name in ("a", "b")]
    assert the_finding("LD302", case(facts, operations=both, config=STEP)).components == ("a", "b")
