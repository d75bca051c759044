"""SSIM and MS-SSIM, against the formulas written out in NumPy."""

import numpy as np
import pytest
import torch

from lossdoctor.errors import LossDoctorError
from lossdoctor.losses.structural import SCALE_WEIGHTS, scale_weights

from .components import build, gradient, random_image, similar_pair


def local_mean(image, window):
    """Gaussian-weighted mean (σ 1.5) of the window around every pixel; the border is mirrored."""
    distance = np.arange(window) - window // 2
    weights = np.exp(-(distance**2) / (2 * 1.5**2))
    kernel = np.outer(weights, weights) / weights.sum() ** 2
    half = window // 2
    padded = np.pad(image, [(0, 0), (0, 0), (half, half), (half, half)], mode="reflect")
    patches = np.lib.stride_tricks.sliding_window_view(padded, (window, window), axis=(-2, -1))
    return np.einsum("nchwij,ij->nchw", patches, kernel)


def factors(x, y, window=11, data_range=1.0):
    """Luminance, and contrast times structure: Wang et al. 2004, equations 6, 9 and 10 with C₃ = C₂/2."""
    c1, c2 = (0.01 * data_range) ** 2, (0.03 * data_range) ** 2
    mean_x, mean_y = local_mean(x, window), local_mean(y, window)
    std_x = np.sqrt(local_mean(x**2, window) - mean_x**2)
    std_y = np.sqrt(local_mean(y**2, window) - mean_y**2)
    covariance = local_mean(x * y, window) - mean_x * mean_y
    luminance = (2 * mean_x * mean_y + c1) / (mean_x**2 + mean_y**2 + c1)
    contrast = (2 * std_x * std_y + c2) / (std_x**2 + std_y**2 + c2)
    structure = (covariance + c2 / 2) / (std_x * std_y + c2 / 2)
    return luminance, contrast * structure


def halved(image):
    return image.reshape(*image.shape[:2], image.shape[2] // 2, 2, image.shape[3] // 2, 2).mean((3, 5))


def ms_ssim(x, y, weights):
    """One number per image and channel; the images' sides are multiples of 2 at every scale."""
    similarity = 1.0
    for weight in weights[:-1]:
        similarity *= factors(x, y)[1].mean((2, 3)) ** weight
        x, y = halved(x), halved(y)
    luminance, contrast = factors(x, y)
    return similarity * (luminance * contrast).mean((2, 3)) ** weights[-1]


@pytest.mark.parametrize("window", [3, 11])
def test_ssim(window):
    prediction, target = similar_pair(2, 3, 16, 20)
    luminance, contrast = factors(prediction.numpy(), target.numpy(), window)
    elements = 1 - luminance * contrast
    mean, total = (build(term="ssim", window=window, reduction=how)(prediction, target) for how in ("mean", "sum"))
    assert mean.item() == pytest.approx(elements.mean())
    assert total.item() == pytest.approx(elements.sum())


@pytest.mark.parametrize("term", ["ssim", "ms_ssim"])
@pytest.mark.parametrize(
    ("section", "expected"),
    [
        ({"space": "lab", "normalize": True}, 1.0),
        ({"space": "lab", "normalize": False}, 256.0),
        ({"space": "lab", "channels": ["L"], "normalize": False}, 100.0),
        ({"space": "lab", "normalize": False, "data_range": 30}, 30.0),
        ({"data_range": 255}, 255.0),
    ],
)
def test_data_range_is_the_span_of_the_values_compared(term, section, expected):
    prediction, target = similar_pair(1, 3, 16, 16)
    explicit = {**section, "data_range": expected}
    other = {**section, "data_range": 2 * expected}
    value = build(term=term, **section)(prediction, target)
    assert value == build(term=term, **explicit)(prediction, target)
    assert value != build(term=term, **other)(prediction, target)


def test_ssim_scales_with_its_data_range():
    """1 − SSIM of images times 100 with the range times 100 is the same."""
    prediction, target = similar_pair(1, 3, 16, 16)
    small, large = build(term="ssim"), build(term="ssim", data_range=100.0)
    assert large(100 * prediction, 100 * target).item() == pytest.approx(small(prediction, target).item())


def test_published_weights_add_up_to_one():
    assert sum(SCALE_WEIGHTS) == pytest.approx(1.0, abs=2e-4)
    assert scale_weights(176, 11) == pytest.approx(SCALE_WEIGHTS, abs=1e-4)


@pytest.mark.parametrize(("side", "scales"), [(11, 1), (21, 1), (22, 2), (64, 3), (175, 4), (176, 5), (4096, 5)])
def test_as_many_scales_as_hold_a_window(side, scales):
    weights = scale_weights(side, 11)
    assert len(weights) == scales
    assert sum(weights) == pytest.approx(1.0)


@pytest.mark.parametrize("side", [16, 48, 64])
def test_ms_ssim(side):
    prediction, target = similar_pair(2, 3, side, side)
    elements = 1 - ms_ssim(prediction.numpy(), target.numpy(), scale_weights(side, 11))
    assert build(term="ms_ssim")(prediction, target).item() == pytest.approx(elements.mean())
    assert build(term="ms_ssim", reduction="sum")(prediction, target).item() == pytest.approx(elements.sum())


def test_ms_ssim_of_one_scale_is_ssim():
    images = similar_pair(1, 1, 16, 16)
    assert build(term="ms_ssim")(*images).item() == pytest.approx(build(term="ssim")(*images).item())


@pytest.mark.parametrize("term", ["ssim", "ms_ssim"])
def test_negatives_are_dissimilar_and_finite(term):
    """Contrast–structure is negative there, and a fractional power of it is not a number."""
    image = random_image(1, 3, 64, 64, dtype=torch.float32)
    loss = build(term=term)
    assert loss(1 - image, image).item() > 0.99
    assert gradient(loss, 1 - image, image).isfinite().all()


@pytest.mark.parametrize("term", ["ssim", "ms_ssim"])
def test_black_images_agree_exactly(term):
    black = torch.zeros(1, 3, 16, 16)
    assert build(term=term)(black, black).item() == 0.0


@pytest.mark.parametrize("term", ["ssim", "ms_ssim"])
def test_images_smaller_than_the_window_are_refused(term):
    image = random_image(1, 3, 10, 64)
    with pytest.raises(
        LossDoctorError, match=r"'tested': needs images of at least 11×11 pixels, found 10×64\n.*window"
    ):
        build(term=term)(image, image)
    build(term=term, window=9)(image, image)
