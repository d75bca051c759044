"""A replay changes one thing: everything else, randomness included, is as it was."""

import warnings

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from lossdoctor.instruments.probes.replay import NotApplicableError, Replay
from lossdoctor.instruments.probes.run import run_probes
from lossdoctor.progress import silent
from lossdoctor.setup.build import Setup
from lossdoctor.setup.loss import Losses


class Noisy(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(3, 3)

    def forward(self, x):
        return F.dropout(self.linear(x), 0.5)


def setup(loss):
    torch.manual_seed(1)
    return Setup(Noisy(), [(torch.randn(4, 3), torch.randn(4, 3))], loss)


def noisy_loss(model, batch):
    output = model(batch[0])
    noise = torch.randn_like(output)  # drawn after the model's own
    return Losses({"total": {"noisy": F.mse_loss(output, batch[1] + noise)}}, output)


def test_the_same_random_numbers_every_time():
    replay = Replay(setup(noisy_loss))
    assert replay.again() == replay.values == replay.on_batch(replay.batch)


def test_another_output_meets_the_same_noise():
    """With the model's own output put in its place, nothing changes: the noise is drawn after the dropout."""
    replay = Replay(setup(noisy_loss))
    losses = replay.on_output(replay.output)
    assert losses.objectives["total"]["noisy"].item() == replay.values["total", "noisy"]


def test_the_graph_begins_at_the_output():
    replay = Replay(setup(lambda model, batch: Losses({"total": {"fit": (model(batch[0]) - batch[1]).square().sum()}})))
    output = replay.target.clone().requires_grad_()
    scalar = replay.on_output(output).objectives["total"]["fit"]
    assert scalar.item() == 0
    (gradient,) = torch.autograd.grad(scalar, output)
    assert gradient.eq(0).all()


def test_a_model_that_is_called_twice_has_no_single_output():
    replay = Replay(setup(lambda model, batch: Losses({"total": {"fit": (model(batch[0]) - model(batch[1])).mean()}})))
    with pytest.raises(NotApplicableError, match="2 times"):
        replay.on_output(torch.zeros(4, 3))
    assert not replay.setup.model._forward_hooks


def test_warnings_about_what_is_made_up_stay_inside():
    """Here warnings are errors; to a user they would be lines in the terminal about batches of nobody's."""

    def loss(model, batch):
        if len(batch[0]) > 4:
            warnings.warn("a large batch", UserWarning, stacklevel=1)
        output = model(batch[0])
        return Losses({"total": {"square": F.mse_loss(output, batch[1])}}, output)

    skipped = {}
    facts = run_probes(setup(loss), skipped, silent)
    assert "duplications" not in skipped
    assert facts["duplications"]
