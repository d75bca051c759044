"""What enters a conversion of colours, and the range that the constants of an SSIM stand for."""

import kornia
import pytest
import torch
import torch.nn.functional as F

from .test_operands import data, trace, trace_one

BATCHES = [(data(2, 3, 16, 16, low=0, high=1), data(2, 3, 16, 16, seed=1, low=0, high=255))]


def operations(loss, name, batches=BATCHES):
    found = trace(lambda model, batch: {"loss": loss(model(batch[0]), batch[1])}, batches)
    return [operation for operation in found if operation.name == name]


def rgb2lab(image):
    linear = torch.where(image > 0.04, image**2.2, image / 12)
    return linear * 100


@pytest.mark.parametrize(
    ("convert", "name"),
    [
        (kornia.color.rgb_to_lab, "rgb_to_lab"),
        (kornia.color.RgbToHsv(), "RgbToHsv"),
        (lambda image: rgb2lab(image), "rgb2lab"),
    ],
)
def test_what_enters_a_conversion_is_seen_once_on_either_side(convert, name):
    prediction, target = operations(lambda p, t: F.mse_loss(convert(p), convert(t)), "color conversion")
    assert prediction.arguments["function"] == target.arguments["function"] == name
    assert prediction.operands[0].requires_grad
    assert 0 <= prediction.operands[0].overall.minimum < prediction.operands[0].overall.maximum <= 1
    assert not target.operands[0].requires_grad
    assert 200 < target.operands[0].overall.maximum <= 255


def test_the_way_back_takes_other_units():
    assert operations(lambda p, t: F.mse_loss(kornia.color.yuv_to_rgb(p), t), "color conversion") == []


def by_hand(data_range):
    c1, c2 = (0.01 * data_range) ** 2, (0.03 * data_range) ** 2

    def ssim(x, y):
        pool = torch.nn.AvgPool2d(5, 1)
        mx, my = pool(x), pool(y)
        vx, vy, cov = pool(x * x) - mx**2, pool(y * y) - my**2, pool(x * y) - mx * my
        contrast = (c2 + 2 * cov) / (vx + vy + c2)
        return 1 - (contrast * (2 * mx * my + c1) / (mx**2 + my**2 + c1)).mean()

    return ssim


@pytest.mark.parametrize("data_range", [1.0, 2.0, 255.0])
@pytest.mark.parametrize(
    "ssim", [by_hand, lambda r: lambda x, y: kornia.losses.ssim_loss(x, y, 5, max_val=r)], ids=["by hand", "kornia"]
)
def test_an_ssim_is_known_by_its_constants(ssim, data_range):
    batches = [(2 * data(2, 3, 16, 16, low=0, high=1), data(2, 3, 16, 16, seed=1, low=0, high=1))]
    means = operations(ssim(data_range), "ssim", batches)
    assert len(means) == 2  # above and below the fraction
    assert all(operation.arguments["data_range"] == pytest.approx(data_range) for operation in means)
    # Means of numbers between 0 and 1, squared and doubled.
    assert all(0 < operation.operands[0].overall.maximum < 2 for operation in means)


@pytest.mark.parametrize(
    "loss",
    [
        lambda x, y: ((x - y) ** 2 + 1e-6).sqrt().mean(),
        lambda x, y: (2 * (x * y).sum((1, 2, 3)) + 1.0).div(x.sum((1, 2, 3)) + 9.1).mean(),
        lambda x, y: (torch.log(x.abs() + 0.01) - torch.log(y.abs() + 0.01)).abs().mean(),
    ],
    ids=["charbonnier", "dice", "log"],
)
def test_other_constants_are_no_ssim(loss):
    assert operations(loss, "ssim") == []


@pytest.mark.parametrize(
    ("scale", "factor"),
    [
        (lambda d: d / 255, 1 / 255),
        (lambda d: 0.01 * d, 0.01),
        (lambda d: d / torch.tensor([100.0, 128, 128]).view(1, 3, 1, 1), 0.01),
        (lambda d: d * torch.tensor([0.01, 0.002, 0.002]).view(1, 3, 1, 1) / 2, 0.005),
        (lambda d: d, None),
    ],
)
def test_a_difference_that_is_scaled_afterwards(scale, factor):
    operation = trace_one(lambda p, t: scale(p - t).abs().mean())
    assert operation.name == "absolute difference"
    assert operation.arguments.get("factor") == (pytest.approx(factor) if factor else None)
