from __future__ import annotations

import math

import numpy as np
import pytest

from lossdoctor.records import Severity
from lossdoctor.rules.ld401_double_activation import floor

from .cases import case, check, gradients, operation, the_finding
from .traced import STEP, loss_of, prediction, target

LABELS = target(0, 9, shape=(32,), integral=True)
MASK = target(0, 1, shape=(4, 1, 16, 16))
BCE = "binary_cross_entropy_with_logits"


def softmaxed(*origin, classes=10, row_sum=(1.0, 1.0), low=0.02, high=0.3):
    return prediction(low, high, *origin, shape=(32, classes), row_sum=row_sum)


def mask(*origin, low=0.45, high=0.6):
    return prediction(low, high, *origin, shape=(4, 1, 16, 16))


class TestSoftmax:
    def test_by_what_it_came_out_of(self):
        finding = the_finding("LD401", loss_of("cross_entropy", softmaxed("softmax", "linear", row_sum=None), LABELS))
        assert finding.severity is Severity.ERROR
        assert finding.components == ("loss",)
        assert finding.evidence["activation"] == "softmax"
        assert finding.evidence["floor"] == pytest.approx(1.461, abs=1e-3)
        assert "1.461" in finding.message
        assert finding.location.line == 12

    def test_by_rows_that_add_up_to_one(self):
        finding = the_finding("LD401", loss_of("cross_entropy", softmaxed("div", row_sum=(0.998, 1.002)), LABELS))
        assert finding.evidence["row_sums"] == [0.998, 1.002]

    def test_a_sigmoid_per_class(self):
        assert check("LD401", loss_of("cross_entropy", softmaxed("sigmoid", row_sum=(4, 6)), LABELS))

    @pytest.mark.parametrize(
        "logits",
        [
            prediction(-2, 3, "linear", shape=(32, 10), row_sum=(-4, 5)),
            prediction(-2, 3, "linear", shape=(32, 10), row_sum=(1, 1)),
            prediction(0, 1, "linear", shape=(32, 10), row_sum=(0.2, 1)),
            prediction(-7, -0.1, "log_softmax", "linear", shape=(32, 10), row_sum=(-60, -20)),
            prediction(-7, -0.1, "log", "softmax", shape=(32, 10), row_sum=(-60, -20)),
            prediction(0, 0.9, "relu", "linear", shape=(32, 10), row_sum=(0.5, 4)),
            prediction(0, 5, "mul", "softmax", shape=(32, 10), row_sum=(5, 5)),
            softmaxed("softmax", classes=1),
        ],
        ids=["logits", "logits that add up", "rows up to one", "log_softmax", "log", "a relu", "scaled", "one column"],
    )
    def test_what_is_no_probability(self, logits):
        assert check("LD401", loss_of("cross_entropy", logits, LABELS)) == []

    @pytest.mark.parametrize("name", ["nll_loss", "mse_loss", "kl_div", "binary_cross_entropy"])
    def test_losses_that_apply_none(self, name):
        assert check("LD401", loss_of(name, softmaxed("softmax"), LABELS)) == []

    def test_soft_targets_are_probabilities_as_they_should_be(self):
        logits = prediction(-2, 3, "linear", shape=(32, 10), row_sum=(-4, 5))
        soft = target(0, 0.9, shape=(32, 10), origin=("softmax",), row_sum=(1.0, 1.0))
        assert check("LD401", loss_of("cross_entropy", logits, soft)) == []


class TestSigmoid:
    @pytest.mark.parametrize("name", [BCE, "multilabel_soft_margin_loss", "soft_margin_loss"])
    def test_by_what_it_came_out_of(self, name):
        finding = the_finding("LD401", loss_of(name, mask("sigmoid", "conv2d"), MASK))
        assert finding.severity is Severity.ERROR
        assert "0.693" in finding.message

    @pytest.mark.parametrize(
        "origin", [("softmax", "conv2d"), ("clamp", "losses()", "sigmoid"), ("interpolate", "clamp", "sigmoid")]
    )
    def test_resized_or_clamped_since(self, origin):
        assert check("LD401", loss_of(BCE, mask(*origin), MASK))

    @pytest.mark.parametrize(
        "logits",
        [
            mask("conv2d"),
            mask("mul", "sigmoid"),
            mask("conv2d", "sigmoid"),
            mask("logit", "sigmoid"),
            mask("clamp", "conv2d"),
            mask("relu"),
            mask("sigmoid", low=-3, high=0.9),
            mask("sigmoid", low=0.1, high=4),
        ],
        ids=["a layer", "a gate", "a layer behind", "logits again", "a clamp", "a relu", "below 0", "above 1"],
    )
    def test_what_is_no_probability(self, logits):
        assert check("LD401", loss_of(BCE, logits, MASK)) == []

    def test_both_terms_of_a_discriminator_are_one_finding(self):
        terms = [operation(BCE, mask("sigmoid"), MASK, of=name) for name in ("real", "fake")]
        facts = gradients(real=(1.0, 1.0), fake=(1.0, 1.0))
        assert the_finding("LD401", case(facts, operations=terms, config=STEP)).components == ("real", "fake")


class TestFloor:
    @pytest.mark.parametrize(("classes", "published"), [(2, 0.313), (4, 0.744), (10, 1.461), (1000, 5.909)])
    def test_published_numbers(self, classes, published):
        assert floor(classes) == pytest.approx(published, abs=1e-3)

    @pytest.mark.parametrize("classes", [2, 3, 21])
    def test_nothing_is_below_it(self, classes):
        probabilities = np.random.default_rng(0).dirichlet(np.full(classes, 0.05), 2000)
        losses = np.log(np.exp(probabilities).sum(1)) - probabilities[:, 0]
        assert losses.min() >= floor(classes) - 1e-9
        one_hot = np.eye(classes)[0]
        assert math.log(np.exp(one_hot).sum()) - one_hot[0] == pytest.approx(floor(classes))


@pytest.mark.parametrize(("second", "limits"), [("sigmoid", "0.731"), ("softmax", "0.475")])
def test_a_second_activation_in_a_loss_written_by_hand(second, limits):
    finding = the_finding("LD401", loss_of(second, prediction(0, 1, "softmax", "conv2d", shape=(4, 4, 8, 8))))
    assert finding.severity is Severity.ERROR
    assert f"a {second} behind a softmax" in finding.message
    assert limits in finding.message
