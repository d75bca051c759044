"""Metrics of a model: scale-free ones of images, the user's own, and the components beside them."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from lossdoctor.setup.build import Setup
from lossdoctor.setup.loss import Losses
from lossdoctor.trials.validation import HIGHEST_PSNR, evaluate


class Shift(nn.Module):
    def __init__(self, by):
        super().__init__()
        self.by = nn.Parameter(torch.tensor(by))

    def forward(self, x):
        return x + self.by


def loss(model, batch):
    output = model(batch[0])
    error = (output - batch[1]).square().mean()
    return Losses({"total": {"square": error, "ssim": 3 * error}}, output)


def images(count=2):
    generator = torch.Generator().manual_seed(0)
    return [(x, x) for x in 0.2 + 0.6 * torch.rand(count, 4, 3, 16, 16, generator=generator)]


def metrics_of(by, metric=None):
    setup = Setup(Shift(by), images(), loss)
    return evaluate(setup, setup.batches, 0, "validation", metric).metrics


def test_psnr_is_that_of_its_definition():
    assert metrics_of(0.1)["psnr"] == pytest.approx(-10 * math.log10(0.1**2), rel=1e-4)
    assert metrics_of(0.0)["psnr"] == HIGHEST_PSNR


def test_equal_images_have_an_ssim_of_one_and_the_same_colours():
    metrics = metrics_of(0.0)
    assert metrics["ssim"] == pytest.approx(1.0)
    assert metrics["colorfulness"] == pytest.approx(1.0)


def test_a_component_does_not_hide_a_metric_of_its_name():
    metrics = metrics_of(0.1)
    assert list(metrics) == ["psnr", "ssim", "colorfulness", "square", "total.ssim"]
    assert metrics["square"] == pytest.approx(0.01, rel=1e-4)
    assert metrics["total.ssim"] == pytest.approx(0.03, rel=1e-4)
    assert metrics["ssim"] > 0.5


def test_a_metric_of_ones_own_comes_first():
    metrics = metrics_of(0.1, metric=lambda model, batch: {"accuracy": 0.5, "psnr": 7.0})
    assert list(metrics)[:2] == ["accuracy", "psnr"]
    assert (metrics["accuracy"], metrics["psnr"]) == (0.5, 7.0)
