"""What a config lets expect, against real gradients at photographs: it may be off by a factor of ten, not more."""

from __future__ import annotations

import itertools
import math
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from lossdoctor import balance
from lossdoctor.config.load import parse_config
from lossdoctor.expected import expected_gradients, expected_size
from lossdoctor.losses.build import build_component
from lossdoctor.setup.batches import load_batches

PHOTOS = Path(__file__).parents[1] / "sample_data" / "photos"
TERMS = ("mse", "l1", "smooth_l1", "charbonnier", "gradient", "tv", "ssim", "ms_ssim")
SPACES = ("rgb", "lab", "luv", "ycbcr", "yuv", "xyz", "gray")


def config(components):
    data = {"images": str(PHOTOS), "size": 64, "batch_size": 8}
    return parse_config({"model": {"target": "unet"}, "data": data, "loss": {"components": components}})


COMPONENTS = {
    "reference": {"term": "l1"},
    **{
        f"{term} {space} {'scaled' if normalize else 'raw'}": {"term": term, "space": space, "normalize": normalize}
        for term, space, normalize in itertools.product(TERMS, SPACES, (True, False))
    },
    **{f"{term} a b": {"term": term, "space": "lab", "channels": ["a", "b"], "normalize": False} for term in TERMS},
    **{f"{term} sum": {"term": term, "reduction": "sum"} for term in TERMS},
    "hue": {"term": "l1", "space": "hsv", "normalize": False},
    "features": {"term": "perceptual", "pretrained": "random"},
    "features l1": {"term": "perceptual", "pretrained": "random", "distance": "l1"},
    "features sum": {"term": "perceptual", "pretrained": "random", "reduction": "sum"},
    "features vgg16": {"term": "perceptual", "pretrained": "random", "backbone": "vgg16"},
}


@pytest.fixture(scope="module")
def target():
    batches, _ = load_batches(config({"reference": COMPONENTS["reference"]}), 1)
    return batches[0][1]


@pytest.fixture(scope="module", params=[0.1, 0.3], ids="off by {}".format)
def measured(target, request):
    """The norm of every component's gradient at a prediction that is smoothly off, plain autograd."""
    generator = torch.Generator().manual_seed(0)
    noise = F.interpolate(torch.randn(8, 3, 8, 8, generator=generator), size=64, mode="bicubic")
    prediction = (target + request.param * noise / noise.std()).clamp(0.02, 0.98)
    norms = {}
    for name, declared in COMPONENTS.items():
        component = config({name: declared}).loss.components[name]
        image = prediction.clone().requires_grad_(True)
        build_component(name, component, Path(), torch.device("cpu"))(image, target).backward()
        norms[name] = image.grad.norm().item()
    return norms


@pytest.mark.parametrize("name", COMPONENTS)
def test_the_order_of_magnitude(name, measured):
    expected = expected_norms(config({"reference": COMPONENTS["reference"], name: COMPONENTS[name]}))
    ratio = (measured[name] / measured["reference"]) / (expected[name] / expected["reference"])
    assert 0.1 < ratio < 10


def expected_norms(config):
    gradients = expected_gradients(config)
    (gramian,) = gradients.blocks[0].gramians
    return {name: math.sqrt(gramian[k][k]) for k, name in enumerate(gradients.components)}


def test_the_gradient_of_an_mse_grows_with_the_square_of_the_range_that_of_an_l1_with_the_range():
    light = {"space": "lab", "channels": ["L"]}  # from 0 to 100
    norms = expected_norms(
        config(
            {
                f"{term} {scaled}": {"term": term, **light, "normalize": scaled}
                for term in ("mse", "l1")
                for scaled in (True, False)
            }
        )
    )
    assert norms["mse False"] / norms["mse True"] == pytest.approx(100**2)
    assert norms["l1 False"] / norms["l1 True"] == pytest.approx(100)


def test_a_sum_is_larger_by_the_number_of_elements():
    norms = expected_norms(config({"mean": {"term": "l1"}, "sum": {"term": "l1", "reduction": "sum"}}))
    assert norms["sum"] / norms["mean"] == pytest.approx(8 * 64 * 64 * 3)


def test_shares_follow_from_weights_and_no_value_is_made_up():
    table = balance.summarize(expected_gradients(config({"a": {"term": "l1", "weight": 3.0}, "b": {"term": "l1"}})))
    assert [component.grad_share for component in table.components] == [pytest.approx(0.75), pytest.approx(0.25)]
    assert {component.value for component in table.components} == {None}
    assert table.value is None


def test_a_loss_in_user_code_lets_nothing_be_expected():
    step = {"model": {"target": "unet"}, "data": {"target": "m:d"}, "loss": {"step": "m:s"}}
    assert expected_gradients(parse_config(step)) is None


@pytest.mark.parametrize(
    ("settings", "size"),
    [
        ({"weight": -2.0}, 2.0),
        ({}, 1.0),
        ({"weight": {"from": 0.0, "to": 3.0, "over": 5}}, 3.0),
        ({"term": "nonsense"}, None),
    ],
)
def test_the_size_of_what_is_declared(settings, size):
    assert expected_size(settings, config({"a": {"term": "l1"}})) == size
