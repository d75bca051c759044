"""What holds for every term, in every colour space."""

import itertools

import pytest
import torch

from lossdoctor.config.schema import CHANNELS
from lossdoctor.errors import LossDoctorError

from .components import build, gradient, random_image, similar_pair

DIFFERENCES = ["mse", "l1", "smooth_l1", "charbonnier", "gradient"]
SIMILARITIES = ["ssim", "ms_ssim"]
COMPARISONS = DIFFERENCES + SIMILARITIES
TERMS = [*COMPARISONS, "tv"]

every_comparison = pytest.mark.parametrize(("term", "space"), [*itertools.product(COMPARISONS, CHANNELS)])
every_term = pytest.mark.parametrize(("term", "space"), [*itertools.product(TERMS, CHANNELS)])

IMAGES = similar_pair(2, 3, 12, 13)


def channel_choices(space):
    """None, every channel alone, and where there are three, a pair in reverse."""
    letters = CHANNELS[space]
    return [
        None,
        *([letter] for letter in letters),
        *([[letters[2], letters[1]]] if len(letters) == 3 else []),
    ]


@every_term
def test_every_combination_gives_a_finite_scalar_and_gradient(term, space):
    prediction, target = (image.float().requires_grad_() for image in IMAGES)
    choices = itertools.product(channel_choices(space), (True, False), ("mean", "sum"))
    for channels, normalize, reduction in choices:
        section = {"space": space, "channels": channels, "normalize": normalize, "reduction": reduction}
        value = build(term=term, **section)(prediction, target)
        (found,) = torch.autograd.grad(value, prediction)
        assert value.shape == (), section
        assert value.isfinite(), section
        assert value > 0, section
        assert found.isfinite().all(), section
        assert found.any(), section


@every_comparison
@pytest.mark.parametrize("normalize", [True, False])
def test_a_perfect_prediction_has_the_least_value(term, space, normalize):
    target = IMAGES[1]
    floor = 1e-3 if term == "charbonnier" else 0.0
    value = build(term=term, space=space, normalize=normalize)(target, target)
    assert value.item() == pytest.approx(floor, abs=1e-12)


@every_comparison
def test_symmetric(term, space):
    loss = build(term=term, space=space)
    assert loss(*IMAGES).item() == pytest.approx(loss(*reversed(IMAGES)).item())


@every_term
def test_the_order_of_the_batch_does_not_matter(term, space):
    loss = build(term=term, space=space)
    assert loss(*(image.flip(0) for image in IMAGES)).item() == pytest.approx(loss(*IMAGES).item())


@every_term
def test_sum_doubles_with_the_batch_and_mean_stays(term, space):
    twice = [image.repeat(2, 1, 1, 1) for image in IMAGES]
    mean, total = (build(term=term, space=space, reduction=how) for how in ("mean", "sum"))
    assert mean(*twice).item() == pytest.approx(mean(*IMAGES).item())
    assert total(*twice).item() == pytest.approx(2 * total(*IMAGES).item())


@pytest.mark.parametrize("space", CHANNELS)
@pytest.mark.parametrize(
    ("term", "elements_per_pixel"),
    [("mse", 1), ("l1", 1), ("smooth_l1", 1), ("charbonnier", 1), ("ssim", 1), ("gradient", 2)],
)
def test_sum_is_mean_times_the_number_of_elements(term, elements_per_pixel, space):
    elements = elements_per_pixel * 2 * len(CHANNELS[space]) * 12 * 13
    mean, total = (build(term=term, space=space, reduction=how)(*IMAGES).item() for how in ("mean", "sum"))
    assert total == pytest.approx(mean * elements)


@every_term
@pytest.mark.parametrize("value", [0.0, 1.0])
def test_black_and_white_images_have_finite_gradients(term, space, value):
    """cbrt, division by lightness and hue are where colour conversions break."""
    flat, target = torch.full((1, 3, 12, 12), value), random_image(1, 3, 12, 12, dtype=torch.float32)
    loss = build(term=term, space=space)
    found = gradient(loss, flat, target)
    assert found.isfinite().all()
    assert found.any() or term == "tv"  # a flat image has no variation to reduce
    assert gradient(loss, flat, flat).isfinite().all()


@every_comparison
def test_finite_gradient_where_prediction_and_target_agree(term, space):
    target = IMAGES[1].float()
    assert gradient(build(term=term, space=space), target, target).isfinite().all()


@every_comparison
def test_a_step_along_the_negative_gradient_helps(term, space):
    """Against a gradient of the wrong sign or of the wrong operand."""
    loss = build(term=term, space=space)
    prediction, target = IMAGES
    direction = gradient(loss, prediction, target)
    assert loss(prediction - 1e-5 * direction / direction.norm(), target) < loss(prediction, target)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("term", COMPARISONS)
def test_half_precision_images_are_compared_in_float32(term, dtype):
    prediction, target = (image.to(dtype) for image in IMAGES)
    loss = build(term=term, space="lab", normalize=False)
    value = loss(prediction, target)
    assert value.dtype == torch.float32
    assert value.item() == pytest.approx(loss(prediction.double(), target.double()).item(), rel=1e-3)


@pytest.mark.parametrize("term", TERMS)
def test_autocast_does_not_reach_the_arithmetic_of_pixels(term):
    prediction, target = (image.float() for image in IMAGES)
    loss = build(term=term, space="lab", normalize=False)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        value = loss(prediction, target)
    assert torch.equal(value, loss(prediction, target))


@pytest.mark.parametrize("term", [*COMPARISONS, "perceptual"])
@pytest.mark.parametrize(
    ("prediction", "target", "message"),
    [
        (
            (2, 3, 32, 32),
            (2, 3, 16, 16),
            r"the prediction is 2×3×32×32 but the target is 2×3×16×16\n.*same shape",
        ),
        ((2, 3, 32, 32), (1, 3, 32, 32), r"the prediction is 2×3×32×32 but the target is 1×3×32×32\n"),
        ((2, 1, 32, 32), (2, 3, 32, 32), r"the prediction is 2×1×32×32 but the target is 2×3×32×32\n"),
        (
            (2, 2, 32, 32),
            (2, 2, 32, 32),
            r"expected a prediction of N×3×H×W .*, found 2×2×32×32\n.*3 channels",
        ),
        ((2, 3, 32, 32), (2, 32, 32), r"expected a target of N×3×H×W .*, found 2×32×32\n.*3 channels"),
        ((2, 3, 32, 32), (), r"expected a target of N×3×H×W .*, found a scalar\n"),
    ],
)
def test_wrong_shapes_are_refused(term, prediction, target, message):
    section = {"pretrained": "random"} if term == "perceptual" else {}
    with pytest.raises(LossDoctorError, match=f"component 'tested': {message}"):
        build(term=term, **section)(random_image(*prediction), random_image(*target))


@pytest.mark.parametrize("term", TERMS)
def test_whole_numbers_are_refused(term):
    image = random_image(1, 3, 16, 16)
    with pytest.raises(LossDoctorError, match=r"expected a prediction of floating-point .* torch.uint8\n.*255"):
        build(term=term)((255 * image).byte(), image)
