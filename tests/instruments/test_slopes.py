"""How components change with their comparisons, against derivatives in closed form."""

import pytest
import torch
import torch.nn.functional as F
from torch.distributions import Normal

from .test_operands import Scale, data, trace

X, Y = data(4, 3), data(4, 3, seed=1)


def slopes(loss, model=None):
    """Return operation -> slope of a loss (prediction, target) -> scalar."""
    operations = trace(lambda model, batch: {"loss": loss(model(batch[0]), batch[1])}, [(X, Y)], model)
    return {operation.name: operation.slopes.get("total.loss") for operation in operations}


@pytest.mark.parametrize(
    ("loss", "name", "slope"),
    [
        (lambda p, t: 3 * F.mse_loss(p, t), "mse_loss", 3.0),
        (lambda p, t: -F.mse_loss(p, t), "mse_loss", -1.0),
        (lambda p, t: (p - t).pow(2).mean(), "squared difference", 1 / 12),
        (lambda p, t: (t - p).abs().sum(), "absolute difference", 1.0),
        (lambda p, t: 1 - F.cosine_similarity(p, t).mean(), "cosine_similarity", -1 / 4),
        (lambda p, t: Normal(p, 0.5).log_prob(t).mean(), "squared difference", -2 / 12),
    ],
)
def test_closed_form(loss, name, slope):
    found = slopes(loss)[name]
    assert (found.minimum, found.maximum) == pytest.approx((slope, slope), rel=1e-5)
    assert found.uniform
    assert not found.bounded


def test_the_value_of_the_derivative():
    """d √m / d m = 1 / (2 √m)."""
    found = slopes(lambda p, t: F.mse_loss(p, t).sqrt())["mse_loss"]
    assert found.minimum == pytest.approx(0.5 / (0.5 * X - Y).square().mean().sqrt().item(), rel=1e-5)


def test_masked_is_uniform_and_weighed_is_not():
    mask, weights = (Y > 0).float(), Y.abs()
    masked = slopes(lambda p, t: ((p - t).pow(2) * mask).sum())["squared difference"]
    assert masked.uniform
    assert masked.partial
    weighed = slopes(lambda p, t: ((p - t).pow(2) * weights).sum())["squared difference"]
    assert not weighed.uniform
    assert not weighed.partial
    assert (weighed.minimum, weighed.maximum) == pytest.approx((weights.min().item(), weights.max().item()))


@pytest.mark.parametrize(
    "loss",
    [
        lambda p, t: F.relu(9 - (p - t).norm(dim=1)).mean(),
        lambda p, t: (9 - (p - t).norm(dim=1)).clamp(min=0).mean(),
        lambda p, t: torch.exp(-(p - t).norm(dim=1)).mean(),
        lambda p, t: F.softplus(1 - (p - t).norm(dim=1)).mean(),
    ],
)
def test_margins_and_kernels(loss):
    found = slopes(loss)["norm of a difference"]
    assert found.bounded
    assert found.maximum < 0


def test_a_clamp_from_below_is_no_margin():
    assert not slopes(lambda p, t: (p - t).norm(dim=1).clamp(min=1e-8).mean())["norm of a difference"].bounded


@pytest.mark.parametrize(
    "loss",
    [lambda p, _: F.mse_loss(p, p.flip(0)), lambda p, t: 0 * F.mse_loss(p, t)],
    ids=["two predictions", "no slope"],
)
def test_no_slope(loss):
    assert slopes(loss) == {"mse_loss": None}


def test_what_the_loss_has_detached_is_known():
    assert slopes(lambda p, _: F.mse_loss(p, p.detach().flip(0)))["mse_loss"].detached
    assert not slopes(F.mse_loss)["mse_loss"].detached


def test_a_teacher_is_a_target():
    teacher = Scale().requires_grad_(False)
    assert slopes(lambda p, _: F.mse_loss(p, teacher(X)))["mse_loss"].minimum == 1


@pytest.mark.parametrize("label", [torch.ones_like, lambda p: torch.full_like(p, 0.9), lambda p: p.new_zeros(p.shape)])
def test_labels_in_the_shape_of_a_prediction_are_given(label):
    assert not slopes(lambda p, t: F.mse_loss(p, label(p)))["mse_loss"].detached
    assert slopes(lambda p, t: F.mse_loss(p, p.detach().roll(1, 0)))["mse_loss"].detached
