from __future__ import annotations

import pytest

from lossdoctor.records import Severity

from .cases import check, the_finding
from .traced import loss_of, prediction, side, target

SOFT = target(0, 0.9, shape=(32, 10), row_sum=(1.0, 1.0))
PROBABILITIES = prediction(0.02, 0.4, "softmax", "linear", shape=(32, 10), row_sum=(1.0, 1.0))
LOGITS = prediction(-2, 3, "linear", shape=(32, 10), row_sum=(-4, 5))
LOG_PROBABILITIES = prediction(-7, -0.01, "log_softmax", "linear", shape=(32, 10))


@pytest.mark.parametrize("name", ["kl_div", "nll_loss"])
@pytest.mark.parametrize(("given", "kind"), [(PROBABILITIES, "probabilities"), (LOGITS, "logits")])
def test_what_is_no_logarithm(name, given, kind):
    finding = the_finding("LD402", loss_of(name, given, SOFT))
    assert finding.severity is Severity.ERROR
    assert finding.components == ("loss",)
    assert finding.evidence["kind"] == kind
    assert finding.evidence["input"] == [given.overall.minimum, given.overall.maximum]
    assert finding.location.line == 12


def test_the_probabilities_of_a_large_vocabulary_are_small():
    given = prediction(1e-5, 3e-5, "softmax", shape=(32, 50_000))
    assert the_finding("LD402", loss_of("nll_loss", given, SOFT)).evidence["kind"] == "probabilities"


def test_small_logits_are_no_probabilities():
    given = prediction(0.001, 0.2, "linear", shape=(32, 10), row_sum=(0.3, 1.4))
    assert the_finding("LD402", loss_of("nll_loss", given, SOFT)).evidence["kind"] == "logits"


def test_ctc_takes_logarithms_as_well():
    given = prediction(-2, 3, "linear", shape=(50, 4, 20), name="log_probs")
    assert check("LD402", loss_of("ctc_loss", given, side(1, 19, name="targets", integral=True)))


def test_prediction_and_target_in_the_wrong_order():
    soft = side(0, 0.9, shape=(32, 10))
    log_prediction = side(-7, -0.1, name="target", grad=True, origin=("log_softmax",), shape=(32, 10))
    finding = the_finding("LD402", loss_of("kl_div", soft, log_prediction))
    assert "changed places" in finding.message
    assert "Swap" in finding.remedy


@pytest.mark.parametrize(
    "given",
    [
        LOG_PROBABILITIES,
        prediction(-20, 0, "logsigmoid", shape=(32, 10)),
        prediction(-20, 5e-7, "log_softmax", shape=(32, 10)),
        prediction(-7, 0.0009, "log", "add", "softmax", shape=(32, 10)),
        prediction(-7, 12, "mul", "log_softmax", shape=(32, 10)),
        prediction(float("nan"), float("nan"), "log", shape=(32, 10)),
    ],
    ids=["log_softmax", "logsigmoid", "rounding", "a constant inside the log", "times an advantage", "not finite"],
)
@pytest.mark.parametrize("name", ["kl_div", "nll_loss"])
def test_what_is_or_may_be_one(name, given):
    assert check("LD402", loss_of(name, given, SOFT)) == []


@pytest.mark.parametrize("name", ["cross_entropy", "mse_loss", "binary_cross_entropy"])
def test_other_losses_take_other_things(name):
    assert check("LD402", loss_of(name, LOGITS, SOFT)) == []


def test_tolerance_is_an_option():
    given = prediction(-7, 1e-5, "log_softmax", shape=(32, 10))
    assert check("LD402", loss_of("nll_loss", given, SOFT))
    assert check("LD402", loss_of("nll_loss", given, SOFT), tolerance=1e-4) == []
