"""Means stay, sums double, whatever the batch is made of."""

import pytest
import torch
from torch import nn

from lossdoctor.instruments.probes.duplication import probe_duplication
from lossdoctor.instruments.probes.replay import Replay
from lossdoctor.setup.build import Setup
from lossdoctor.setup.loss import Losses

X, Y = torch.randn(3, 5), torch.randn(3, 5)


def losses(output, target):
    error = (output - target).square()
    return Losses({"total": {"mean": error.mean(), "sum": error.sum(), "per sample": error.sum() / len(error)}})


@pytest.mark.parametrize(
    ("batch", "loss"),
    [
        ((X, Y), lambda model, batch: losses(model(batch[0]), batch[1])),
        ({"x": X, "y": Y, "epoch": 3}, lambda model, batch: losses(model(batch["x"]), batch["y"])),
        ([X, list(Y)], lambda model, batch: losses(model(batch[0]), torch.stack(batch[1]))),
    ],
    ids=["tuple", "mapping", "list of samples"],
)
def test_ratios(batch, loss):
    facts = probe_duplication(Replay(Setup(nn.Linear(5, 5), [batch], loss)))
    ratios = {fact.component: fact.doubled / fact.value for fact in facts}
    assert ratios == pytest.approx({"mean": 1.0, "sum": 2.0, "per sample": 1.0}, rel=1e-6)
