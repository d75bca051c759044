"""A perfect prediction, against losses whose minimum is known."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from lossdoctor.instruments.probes.optima import STEPS, probe_optima
from lossdoctor.instruments.probes.replay import NotApplicableError, Replay
from lossdoctor.instruments.probes.teachers import student_is_teacher
from lossdoctor.setup.build import Setup
from lossdoctor.setup.loss import Losses

Y = torch.randn(6, 3, generator=torch.Generator().manual_seed(3))


def replay(loss, target, weights=None):
    torch.manual_seed(0)

    def run(model, batch):
        output = model(batch[0])
        return Losses({"total": {"a": loss(output, batch[1])}}, output)

    return Replay(Setup(nn.Linear(5, 3), [(torch.randn(6, 5), target)], run, weights=weights or {}))


def test_a_distance_is_best_at_the_target():
    (found,) = probe_optima(replay(F.mse_loss, Y))
    assert (found.value, found.lower) == (0, 0)
    assert found.unrelated == pytest.approx((Y - Y.roll(1, 0)).square().mean().item())
    assert found.uses_target


def test_infinite_at_the_target_alone():
    (found,) = probe_optima(replay(lambda p, t: -10 * F.mse_loss(p, t).log10(), Y))
    assert found.value == math.inf
    assert found.uses_target


def test_an_offset_in_closed_form():
    """(p - t - d)² falls from d² at the target, along the straight way to t + d."""
    (found,) = probe_optima(replay(lambda p, t: (p - t - 0.5).square().mean(), Y))
    distance = (Y - Y.roll(1, 0)).norm().item() / math.sqrt(18)
    steps = [(0.5 - part * distance) ** 2 for part in STEPS]
    assert found.value == pytest.approx(0.25, rel=1e-5)
    assert found.lower == pytest.approx(min(steps), rel=1e-4)


def test_noise_in_the_target_is_no_way_down():
    (found,) = probe_optima(replay(lambda p, t: F.mse_loss(p, t + torch.randn_like(t)), Y))
    assert found.lower == found.value


def test_the_weight_says_what_is_down():
    (found,) = probe_optima(replay(lambda p, t: -(p - t - 0.5).square().mean(), Y, {"a": -1.0}))
    assert found.lower > found.value


def test_a_component_without_the_target():
    (found,) = probe_optima(replay(lambda p, _: p.square().mean(), Y))
    assert not found.uses_target


def test_labels_that_are_off_by_one():
    labels = torch.tensor([0, 1, 2, 2, 1, 0])
    (found,) = probe_optima(replay(lambda p, t: F.cross_entropy(p, (t + 1) % 3), labels))
    assert found.classes
    assert found.value > 5
    assert found.lower < 0.01


@pytest.mark.parametrize(("student", "teacher", "lower"), [(1.0, 4.0, True), (4.0, 4.0, None), (2.0, 1.0, None)])
def test_temperatures(student, teacher, lower):
    taught = nn.Linear(5, 3).requires_grad_(False)

    def run(model, batch):
        soft = F.softmax(taught(batch) / teacher, 1)
        return Losses(
            {"total": {"kd": F.kl_div(F.log_softmax(model(batch) / student, 1), soft, reduction="batchmean")}}
        )

    made = Replay(Setup(nn.Linear(5, 3), [torch.randn(6, 5)], run))
    found = list(student_is_teacher(made))
    assert bool(found) == bool(lower)
    for optimum in found:
        logits = taught(made.batch)
        soft = F.softmax(logits / 4, 1)
        at = [F.kl_div(F.log_softmax(part * logits, 1), soft, reduction="batchmean").item() for part in (1, 0.5, 0.25)]
        assert (optimum.value, optimum.lower) == pytest.approx((at[0], min(at)), rel=1e-4, abs=1e-6)


def test_nothing_that_could_be_perfect():
    with pytest.raises(NotApplicableError, match="take its place"):
        probe_optima(replay(lambda p, _: p.square().mean(), torch.randn(6, 7)))
