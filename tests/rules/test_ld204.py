from __future__ import annotations

import pytest

from lossdoctor.records import Output, Severity

from .cases import case, check, gradients, spread, the_finding

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


def test_networks_of_user_code_normalise_as_they_please():
    assert check("LD204", perceptual(spread(-1, 1), config=STEP)) == []


def test_a_component_with_weight_0_is_left_out():
    assert check("LD204", perceptual(spread(-1, 1), weights={"features": 0.0})) == []
