"""How much an output changes with the input, for maps whose answer is known."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from lossdoctor.instruments.probes.dependence import probe_dependence
from lossdoctor.instruments.probes.replay import NotApplicableError, Replay
from lossdoctor.setup.build import Setup
from lossdoctor.setup.loss import Losses


def probe(model, batch=None, step=None):
    torch.manual_seed(0)
    batch = batch if batch is not None else torch.randn(4, 3)
    loss = step or (lambda model, batch: model(batch).square().mean())
    setup = Setup(model, [batch], lambda model, batch: Losses({"total": {"loss": loss(model, batch)}}))
    facts = probe_dependence(Replay(setup))
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())
    return {fact.module: fact.change for fact in facts}


class Body(nn.Module):
    def __init__(self, forward):
        super().__init__()
        self.linear, self.run = nn.Linear(3, 3), forward

    def forward(self, x):
        return self.run(self.linear, x)


@pytest.mark.parametrize(
    "forward",
    [
        lambda linear, x: linear(torch.zeros_like(x)),
        lambda linear, x: F.relu(linear(x.clamp(-9, 9)) - 1e3),
        lambda linear, x: linear(x)[:, :1].softmax(1),
        lambda linear, x: F.dropout(linear(torch.ones_like(x)), 0.5),
        lambda linear, x: linear.bias + torch.randn(len(x), 3),
    ],
    ids=["constant", "dead", "softmax of one", "dropout", "noise"],
)
def test_ignored(forward):
    assert probe(Body(forward)) == {"": 0.0}


@pytest.mark.parametrize(
    "forward",
    [
        lambda linear, x: linear(x),
        lambda linear, x: x + 0 * linear(x),
        lambda linear, x: linear(x).sum(0),  # the same for samples in any order
        lambda linear, x: F.batch_norm(linear(x), None, None, training=True),
        lambda linear, x: linear(x).sigmoid().round(),
    ],
    ids=["linear", "residual", "set", "batch norm", "rounded"],
)
def test_used(forward):
    assert probe(Body(forward))[""] > 0.1


def test_behind_many_saturated_layers_the_derivative_tells():
    layers = [layer for _ in range(8) for layer in (nn.Linear(3, 3), nn.Sigmoid())]
    batch = torch.randn(4, 3)
    setup = Setup(nn.Sequential(*layers), [batch], lambda m, b: Losses({"total": {"x": m(b).mean()}}))
    (fact,) = probe_dependence(Replay(setup))
    assert fact.slope is None or fact.slope > 0


def test_tokens():
    table = nn.Sequential(nn.Embedding(9, 4), nn.Linear(4, 2))
    assert probe(table, torch.randint(9, (4, 6)))[""] > 0.1


class Gan(nn.Module):
    def __init__(self):
        super().__init__()
        self.generator, self.position = nn.Linear(2, 3), nn.Embedding(4, 3)
        self.judge = Body(lambda linear, x: linear(torch.ones_like(x)))


def test_parts_of_a_model_are_asked_by_themselves():
    def step(model, batch):
        fake = model.generator(torch.randn(4, 2)) + model.position(torch.arange(4))
        return model.judge(fake).mean() + model.judge(batch).mean()

    changes = probe(Gan(), step=step)
    assert changes["judge"] == 0
    assert changes["generator"] > 0.1
    assert "position" not in changes


def test_nothing_goes_in():
    class Query(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.randn(3, 3))

        def forward(self):
            return self.weight

    with pytest.raises(NotApplicableError, match="tensors which can be changed"):
        probe(Query(), step=lambda model, batch: (model() @ batch.T).mean())


class TwoHeads(nn.Module):
    def __init__(self):
        super().__init__()
        self.code, self.image = nn.Linear(3, 2), nn.Linear(2, 3)

    def forward(self, x):
        code = self.code(x)
        return self.image(0 * code), code


def test_each_output_that_has_a_target_is_asked():
    batch = torch.randn(4, 3), torch.randn(4, 3)

    def run(model, batch):
        output = model(batch[0])
        return Losses({"total": {"loss": F.mse_loss(output[0], batch[1])}}, output)

    facts = probe_dependence(Replay(Setup(TwoHeads(), [batch], run)))
    assert {(fact.output, fact.change > 0) for fact in facts} == {(None, True), ("output[0]", False)}


def test_the_last_layers_of_an_output():
    class Sum(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.left, self.right = nn.Linear(3, 4), nn.Linear(4, 2), nn.Conv1d(1, 1, 3)

        def forward(self, x):
            h = self.first(0 * x)
            return self.left(h).relu() + self.right(h[:, None])[:, 0]

    batch = torch.randn(4, 3)
    setup = Setup(Sum(), [batch], lambda m, b: Losses({"total": {"x": m(b).mean()}}))
    (fact,) = probe_dependence(Replay(setup))
    assert fact.last_layers == ("left.weight", "right.weight")
