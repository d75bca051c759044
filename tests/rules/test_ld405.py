from __future__ import annotations

import numpy as np
import pytest

from lossdoctor.facts.statistics import Statistics
from lossdoctor.records import Severity
from lossdoctor.rules.ld405_target_out_of_domain import has_two_values

from .cases import check, the_finding
from .traced import loss_of, prediction, side, target

BCE = "binary_cross_entropy_with_logits"
LOGITS = prediction(-2, 3, "conv2d", shape=(4, 1, 16, 16))
LOG_PROBABILITIES = prediction(-7, -0.1, "log_softmax", shape=(32, 10))


def labels(*values):
    """Targets of these values, in equal parts."""
    array = np.array(values, float)
    return target(array.min(), array.max(), mean=array.mean(), std=array.std(), integral=True)


class TestProbabilities:
    @pytest.mark.parametrize(
        "targets",
        [labels(0, 255), labels(-1, 1), labels(1, 2), labels(0, 1, 2, 3, 4), target(-2.1, 2.6), target(0, 1.4)],
        ids=["masks to 255", "±1", "from 1", "class numbers", "standardised", "too bright"],
    )
    def test_outside_0_to_1(self, targets):
        finding = the_finding("LD405", loss_of(BCE, LOGITS, targets))
        assert finding.severity is Severity.ERROR
        assert finding.components == ("loss",)
        assert finding.evidence["target"] == [targets.overall.minimum, targets.overall.maximum]
        assert finding.evidence["defined_for"] == "between 0 and 1"
        assert finding.location.line == 12

    @pytest.mark.parametrize("targets", [labels(0, 1), target(0, 1), target(0.7, 1.2), target(-0.1, 1.1), labels(1)])
    def test_inside_or_nearly(self, targets):
        assert check("LD405", loss_of(BCE, LOGITS, targets)) == []

    @pytest.mark.parametrize("targets", [labels(0, 1, 255), labels(-1, 0, 1), labels(-100, 0, 1)])
    def test_marks_that_are_masked(self, targets):
        assert check("LD405", loss_of(BCE, LOGITS, targets, reduction="none")) == []

    @pytest.mark.parametrize("targets", [labels(0, 255), labels(-1, 1)])
    def test_two_values_leave_nothing_to_mask(self, targets):
        assert check("LD405", loss_of(BCE, LOGITS, targets, reduction="none"))

    def test_the_wrong_order_is_said(self):
        known = side(0, 1, shape=(4, 1, 16, 16))
        logits = side(-2, 3, name="target", grad=True)
        assert "comes first" in the_finding("LD405", loss_of(BCE, known, logits)).remedy

    def test_tolerance_is_an_option(self):
        assert check("LD405", loss_of(BCE, LOGITS, target(0, 1.2)), tolerance=0.1)
        assert check("LD405", loss_of(BCE, LOGITS, target(0, 1.4)), tolerance=0.5) == []


class TestDistributions:
    @pytest.mark.parametrize(
        ("targets", "log_target", "remedy"),
        [
            (target(-3, 4), False, "softmax(target)"),
            (target(-7, -0.1), False, "log_target=True"),
            (target(0, 0.9), True, "softmax(target)"),
        ],
        ids=["logits", "logarithms", "no logarithms"],
    )
    def test_what_is_none(self, targets, log_target, remedy):
        finding = the_finding("LD405", loss_of("kl_div", LOG_PROBABILITIES, targets, log_target=log_target))
        assert remedy in finding.remedy

    @pytest.mark.parametrize(("targets", "log_target"), [(target(0, 0.9), False), (target(-7, 0), True)])
    def test_what_is_one(self, targets, log_target):
        assert check("LD405", loss_of("kl_div", LOG_PROBABILITIES, targets, log_target=log_target)) == []


class TestCounts:
    def test_below_0(self):
        assert check("LD405", loss_of("poisson_nll_loss", LOGITS, target(-0.4, 12)))

    @pytest.mark.parametrize("targets", [target(0, 80), target(0.2, 1.7)])
    def test_counts_and_rates(self, targets):
        assert check("LD405", loss_of("poisson_nll_loss", LOGITS, targets)) == []


class TestSignedLabels:
    LOSSES = ("soft_margin_loss", "hinge_embedding_loss", "cosine_embedding_loss", "margin_ranking_loss")

    @pytest.mark.parametrize("name", LOSSES)
    def test_zeros_and_ones(self, name):
        finding = the_finding("LD405", loss_of(name, LOGITS, labels(0, 1)))
        assert "no gradient" in finding.message
        assert "2 * labels - 1" in finding.remedy

    @pytest.mark.parametrize("targets", [labels(-1, 1), labels(-1, 0, 1), labels(1), labels(-1)])
    @pytest.mark.parametrize("name", LOSSES)
    def test_signs(self, name, targets):
        assert check("LD405", loss_of(name, LOGITS, targets)) == []

    def test_the_sign_of_a_difference_may_be_0(self):
        signs = target(0, 1, integral=True, origin=("sign",))
        assert check("LD405", loss_of("margin_ranking_loss", LOGITS, signs)) == []


@pytest.mark.parametrize("name", ["mse_loss", "cross_entropy", "l1_loss"])
def test_losses_of_any_number(name):
    assert check("LD405", loss_of(name, LOGITS, target(-50, 300))) == []


def test_a_target_without_a_finite_value():
    assert check("LD405", loss_of(BCE, LOGITS, target(float("nan"), float("nan")))) == []


@pytest.mark.parametrize("seed", range(5))
def test_two_values_are_told_from_more(seed):
    dice = np.random.default_rng(seed)

    def statistics(values):
        return Statistics(values.min(), values.max(), values.mean(), values.std())

    assert has_two_values(statistics(np.append(dice.choice([-1.0, 1.0], 1000), [-1, 1])))
    assert not has_two_values(statistics(np.append(dice.choice([-1.0, 0, 1], 1000), [-1, 1])))
    assert not has_two_values(statistics(np.full(4, 0.5)))
