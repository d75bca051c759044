from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

from lossdoctor.facts.outputs import Output
from lossdoctor.facts.statistics import Statistics
from lossdoctor.records import Severity
from lossdoctor.rules.ld207_unreachable_target import share_beyond

from .cases import case, check, gradients, operand, operation, spread, the_finding
from .traced import STEP, loss_of, prediction, target

SHAPE = (64, 1)
RELU = prediction(0, 0.7, "relu", "linear", shape=SHAPE)
SIGMOID = prediction(0.3, 0.6, "sigmoid", "linear", shape=SHAPE)
NORMAL = target(-2.9, 3.1, mean=0.02, std=1.0, shape=SHAPE)


def statistics(values):
    return Statistics(float(values.min()), float(values.max()), float(values.mean()), float(values.std()))


class TestFires:
    def test_signed_targets_behind_a_relu(self):
        finding = the_finding("LD207", loss_of("mse_loss", RELU, NORMAL))
        assert finding.severity is Severity.ERROR
        assert finding.components == ("loss",)
        assert "nothing below 0" in finding.message
        assert finding.evidence["activation"] == "relu"
        assert finding.evidence["target"] == [-2.9, 3.1]
        assert 0.01 < finding.evidence["share_beyond_at_least"] < 0.5
        assert finding.location.line == 12

    @pytest.mark.parametrize(
        ("activation", "data"),
        [
            ("sigmoid", NORMAL),
            ("sigmoid", target(-1, 1, mean=-0.1, std=0.5, shape=SHAPE)),
            ("sigmoid", target(0, 9, shape=SHAPE, integral=True)),
            ("sigmoid", target(-1, 1, mean=0.0, std=1.0, shape=SHAPE)),
            ("tanh", target(-80, 80, std=20, shape=SHAPE)),
            ("softplus", target(-5, 2, shape=SHAPE)),
            ("log_softmax", target(0, 1, mean=0.1, std=0.3, shape=SHAPE)),
            ("relu", target(-1, -1, shape=SHAPE)),
            ("relu", target(-1, -1, shape=())),
            ("relu", target(-61, 72, mean=3, std=11, shape=SHAPE)),
        ],
        ids=[
            "standardised",
            "images in [-1, 1]",
            "class numbers",
            "labels ±1",
            "chroma",
            "logarithms",
            "one-hot",
            "a label",
            "a single label",
            "long tails",
        ],
    )
    def test_activations_and_targets(self, activation, data):
        output = prediction(-0.4 if activation in ("tanh", "log_softmax") else 0.1, 0.0, activation, shape=SHAPE)
        output = dataclasses.replace(output, overall=spread(-0.4, 0.0) if "log" in activation else spread(0.1, 0.4))
        assert the_finding("LD207", loss_of("l1_loss", output, data)).evidence["activation"] == activation

    def test_one_channel_is_enough(self):
        channels = (spread(0, 1), spread(-4, 4, 0, 1.0))
        data = operand(*channels, name="target", overall=spread(-4, 4, 0.3, 0.8))
        output = operand(spread(0, 1), spread(0, 2), grad=True, origin=("relu", "conv2d"))
        assert the_finding("LD207", loss_of("mse_loss", output, data)).evidence["target_std"] == 1.0

    def test_above_is_said_where_it_is_above(self):
        assert (
            "nothing above 1" in the_finding("LD207", loss_of("mse_loss", SIGMOID, target(0, 9, shape=SHAPE))).message
        )

    def test_real_values_are_no_marks(self):
        assert check("LD207", loss_of("mse_loss", RELU, NORMAL, reduction="none"))


class TestSilent:
    @pytest.mark.parametrize(
        ("output", "data"),
        [
            (RELU, target(0, 80, shape=SHAPE)),
            (RELU, target(-1, 80, mean=20, std=18, shape=SHAPE)),
            (SIGMOID, target(0, 1, shape=SHAPE)),
            (SIGMOID, target(-0.08, 1.1, mean=0.5, std=0.49, shape=SHAPE)),
            (SIGMOID, target(0.7, 1.19, shape=SHAPE)),
            (prediction(-3, 3, "linear", shape=SHAPE), NORMAL),
            (prediction(-50, 60, "mul", "tanh", shape=SHAPE), target(-80, 80, shape=SHAPE)),
            (prediction(-0.1, 3, "leaky_relu", shape=SHAPE), NORMAL),
            (prediction(0, 1, "clamp", shape=SHAPE), NORMAL),
            (prediction(-2, 3, "sigmoid", shape=SHAPE), NORMAL),
            (RELU, dataclasses.replace(NORMAL, origin=("linear",))),
            (RELU, dataclasses.replace(NORMAL, requires_grad=True)),
            (RELU, dataclasses.replace(NORMAL, shape=(64, 64))),
            (RELU, target(math.nan, math.nan, shape=SHAPE)),
        ],
        ids=[
            "depths",
            "depths and a stray value",
            "probabilities",
            "resized masks",
            "noisy labels",
            "a linear layer",
            "a scaled tanh",
            "leaky",
            "a clamp of unknown ends",
            "more than a sigmoid",
            "another network's features",
            "two predictions",
            "broadcast",
            "nothing finite",
        ],
    )
    def test_what_can_be_reached_or_cannot_be_told(self, output, data):
        assert check("LD207", loss_of("mse_loss", output, data)) == []

    def test_marks_of_the_unknown_that_are_masked(self):
        data = target(-1, 70.3, mean=9, std=15, shape=SHAPE)
        marked = target(-100, 1, mean=-40, std=50, shape=SHAPE)
        assert check("LD207", loss_of("l1_loss", RELU, data, reduction="none")) == []
        assert check("LD207", loss_of("l1_loss", SIGMOID, marked, reduction="none")) == []
        assert check("LD207", loss_of("l1_loss", SIGMOID, marked))

    def test_codes_that_are_trained_elsewhere(self):
        """The commitment term of a VQ-VAE: the codes are detached here, and follow the encoder in another term."""
        codes = dataclasses.replace(NORMAL, requires_grad=True, name="input")
        terms = [
            operation("mse_loss", RELU, NORMAL, of="commitment"),
            operation("mse_loss", codes, dataclasses.replace(RELU, requires_grad=False), of="codebook"),
        ]
        facts = gradients(commitment=(1.0, 1.0), codebook=(1.0, 1.0))
        assert check("LD207", case(facts, operations=terms, config=STEP)) == []
        assert check("LD207", case(facts, operations=terms[:1], config=STEP))

    @pytest.mark.parametrize("name", ["cdist", "pairwise_distance", "binary_cross_entropy", "cosine_similarity"])
    def test_what_is_no_regression(self, name):
        assert check("LD207", loss_of(name, RELU, NORMAL)) == []

    def test_images_up_to_255_are_another_matter(self):
        images = target(0, 255, shape=(4, 3, 16, 16))
        assert check("LD207", loss_of("mse_loss", prediction(0.2, 0.8, "sigmoid", shape=(4, 3, 16, 16)), images)) == []


def test_the_share_is_an_option():
    data = target(-1.0, 1.0, mean=0.9, std=0.19**0.5, shape=SHAPE)  # one in twenty is -1
    share = the_finding("LD207", loss_of("mse_loss", SIGMOID, data)).evidence["share_beyond_at_least"]
    assert share == pytest.approx(0.05)
    assert check("LD207", loss_of("mse_loss", SIGMOID, data), share=0.06) == []


def test_built_in_components_take_the_output_as_it_is():
    loss = {"components": {"l1": {"term": "l1"}, "lab": {"term": "mse", "space": "lab"}}}
    output = Output("output", (4, 3, 8, 8), "float32", "sigmoid", spread(0.4, 0.6), target=spread(-1, 1))
    facts = gradients(l1=(1.0, 1.0), lab=(1.0, 1.0))
    assert the_finding("LD207", case(facts, config=loss, outputs=(output,))).components == ("l1", "lab")


class TestShareBeyond:
    """The bound against the share counted in samples."""

    RANGES = (0, 1), (-1, 1), (0, math.inf), (-math.inf, 0), (-0.3, 2)

    @pytest.mark.parametrize("seed", range(8))
    @pytest.mark.parametrize(("least", "most"), RANGES)
    def test_is_never_more_than_the_share(self, seed, least, most):
        dice = np.random.default_rng(seed)
        for values in (
            dice.normal(dice.uniform(-1, 1), 1, 500),
            dice.exponential(dice.uniform(0.1, 3), 500) - 0.2,
            dice.choice([-1.0, 0.0, 0.5, 2.0], 500),
            np.full(5, dice.normal()),
        ):
            counted = np.mean((values < least) | (values > most))
            assert 0 <= share_beyond(statistics(values), least, most) <= counted + 1e-9

    def test_is_exact_for_two_values(self):
        values = np.array([0.0, 0.0, 0.0, 4.0])
        assert share_beyond(statistics(values), 0, 1) == pytest.approx(0.25)


LABELS = target(0, 1, mean=0.3, std=0.45, shape=SHAPE)


class TestLogits:
    @pytest.mark.parametrize(("activation", "values"), [("relu", (0, 0.7)), ("logsigmoid", (-3, -0.1))])
    def test_of_one_sign(self, activation, values):
        logits = prediction(*values, activation, "linear", shape=SHAPE)
        finding = the_finding("LD207", loss_of("binary_cross_entropy_with_logits", logits, LABELS))
        assert finding.severity is Severity.ERROR
        assert activation in finding.message
        assert "0.5" in finding.message
        assert finding.evidence["target_mean"] == 0.3

    @pytest.mark.parametrize(
        ("logits", "labels"),
        [
            (prediction(-2, 2, "linear", shape=SHAPE), LABELS),
            (RELU, target(1, 1, shape=SHAPE)),  # real, says a generator
            (prediction(-1, 2, "relu", "linear", shape=SHAPE), LABELS),  # there was more to it
            (SIGMOID, LABELS),  # LD401
        ],
        ids=["of both", "labels of one side", "shifted since", "a sigmoid"],
    )
    def test_of_both_signs_and_of_other_rules(self, logits, labels):
        assert check("LD207", loss_of("binary_cross_entropy_with_logits", logits, labels)) == []
