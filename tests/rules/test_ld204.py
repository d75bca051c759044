from __future__ import annotations

import pytest

from lossdoctor.facts.outputs import Output
from lossdoctor.records import Severity

from .cases import case, check, gradients, spread, the_finding
from .traced import loss_of, prediction, side

LOSS = {"components": {"features": {"term": "perceptual", "pretrained": "random"}, "l1": {"term": "l1"}}}
STEP = {"step": "my_project.train:losses"}


def perceptual(data, config=LOSS, **more):
    output = Output("output", (4, 3, 64, 64), "float32", None, spread(-0.4, 0.5), target=data)
    return case(gradients(features=(1.0, 1.0), l1=(1.0, 1.0), **more), config=config, outputs=(output,))


@pytest.mark.parametrize(
    ("data", "remedy"),
    [(spread(-1, 1), "(x + 1) / 2"), (spread(0, 255), "divide them by 255"), (spread(-2.1, 2.6), "(x + 1) / 2")],
    ids=["[-1, 1]", "8 bits", "normalised as ImageNet"],
)
def test_targets_outside_0_to_1(data, remedy):
    finding = the_finding("LD204", perceptual(data))
    assert finding.severity is Severity.WARNING
    assert finding.components == ("features",)
    assert finding.evidence["target"] == [data.minimum, data.maximum]
    assert remedy in finding.remedy


@pytest.mark.parametrize("data", [spread(0, 1), spread(-0.06, 1.08), spread(0.2, 0.4), None])
def test_images_in_0_to_1_whatever_the_prediction(data):
    assert check("LD204", perceptual(data)) == []


def test_other_terms_have_no_loss_network():
    assert check("LD204", perceptual(spread(-1, 1), config={"components": {"l1": {"term": "l1"}}})) == []


def test_targets_of_user_code_say_nothing_of_what_enters_its_networks():
    assert check("LD204", perceptual(spread(-1, 1), config=STEP)) == []


def fed(images):
    return loss_of("loss network", images, network="VGG")


@pytest.mark.parametrize(
    ("low", "high", "mistake"),
    [
        (0.0, 1.0, "not normalised"),
        (0.02, 1.04, "not normalised"),
        (-1.0, 1.0, "normalised to [-1, 1]"),
        (0.066, 2.64, "never negative"),  # LPIPS given [0, 1]
        (-6.5, 2.64, "twice"),  # LPIPS given [-3, 1]
        (-11.3, 9.9, "twice"),
        (0.0, 255.0, "255"),
    ],
)
def test_what_enters_a_network_of_user_code(low, high, mistake):
    finding = the_finding("LD204", fed(side(low, high, shape=(4, 3, 64, 64))))
    assert finding.severity is Severity.WARNING
    assert finding.components == ("loss",)
    assert mistake in finding.message
    assert "VGG" in finding.message


@pytest.mark.parametrize("images", [side(-2.12, 2.64), side(-1.9, 1.5), side(-2.5, 3.0), prediction(0, 1, "sigmoid")])
def test_normalised_images_and_predictions_which_may_be_anywhere(images):
    assert check("LD204", fed(images)) == []


def test_a_component_with_weight_0_is_left_out():
    assert check("LD204", perceptual(spread(-1, 1), weights={"features": 0.0})) == []
