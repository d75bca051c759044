"""A graph cut into segments gives what one in one piece gives."""

from functools import partial

import pytest
import torch
from torch import nn

from lossdoctor import balance
from lossdoctor.instruments import gradients
from lossdoctor.instruments.gradients import measure_gradients
from lossdoctor.instruments.segments import segments
from lossdoctor.setup.build import Setup
from lossdoctor.setup.loss import Losses

from .independent import expect
from .test_gradients import NESTED, PLAIN, assert_agree
from .zoo import CASES


class Chain(nn.Module):
    """Three layers, of which the last may be the first again."""

    def __init__(self, hook=None, tied=False):
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(4, 4) for _ in range(3))
        if tied:
            self.layers[2] = self.layers[0]
        self.hook = hook

    def forward(self, x):
        for layer in self.layers:
            x = layer(x)
            if self.hook:
                x.register_hook(self.hook)
            x = x.tanh()
        return x


def scalars_of(model):
    torch.manual_seed(0)
    output = model(torch.randn(5, 4))
    return [output.square().mean(), output.abs().sum()]


def cut(model):
    return segments(scalars_of(model), list(model.parameters()), kept=0)


@pytest.mark.parametrize(
    ("name", "objective"), [*((name, "total") for name in PLAIN), *NESTED], ids=lambda value: value.replace(" ", "-")
)
def test_segments_agree_with_plain_backwards(name, objective, monkeypatch):
    monkeypatch.setattr(gradients, "segments", partial(segments, kept=0))
    case = CASES[name]
    measured = {facts.name: facts for facts in measure_gradients(case.setup())}
    assert_agree(balance.summarize(measured[objective]), expect(case, objective), 2e-2 if "bf16" in name else 1e-5)


def test_a_chain_is_cut_between_its_layers():
    found = cut(Chain())
    layers = [{index // 2 for index in segment.inputs} for segment in found if segment.inputs]
    assert all(len(layer) == 1 for layer in layers)
    assert {0, 1, 2} == set.union(*layers)
    assert all(segment.exit for segment in found[:-1])
    assert found[-1].exit is None


def test_few_gradients_are_not_worth_a_cut():
    model = Chain()
    assert len(segments(scalars_of(model), list(model.parameters()))) == 1


def test_a_layer_that_is_used_twice_is_in_one_piece_with_all_between():
    assert [sorted(segment.inputs) for segment in cut(Chain(tied=True)) if segment.inputs] == [[0, 1, 2, 3]]


def test_nothing_is_cut_inside_a_residual_branch():
    x, first, second = torch.randn(5, 4), nn.Linear(4, 4), nn.Linear(4, 4)
    inside = first(x)
    output = inside + second(inside.tanh()).tanh()
    found = segments([output.mean(), output.square().mean()], [*first.parameters(), *second.parameters()], kept=0)
    assert (2, 3) in [tuple(sorted(segment.inputs)) for segment in found]
    assert not any({0, 1} & set(segment.inputs) and {2, 3} & set(segment.inputs) for segment in found)


@pytest.mark.parametrize("factor", [1, 2])
def test_a_hook_that_changes_the_gradient_does_so_once(factor, monkeypatch):
    """The gradients of a chain whose hooks double it are those of plain backwards, wherever it is cut."""
    monkeypatch.setattr(gradients, "segments", partial(segments, kept=0))
    model, batch = Chain(lambda gradient: factor * gradient), torch.randn(5, 4)

    def loss(model, batch):
        output = model(batch)
        return Losses({"total": {"square": output.square().mean(), "size": output.abs().sum()}}, output)

    (facts,) = measure_gradients(Setup(model, [batch], loss))
    for k, scalar in enumerate(loss(model, batch).objectives["total"].values()):
        for name, gradient in zip(
            dict(model.named_parameters()),
            torch.autograd.grad(scalar, list(model.parameters()), retain_graph=True),
            strict=True,
        ):
            assert facts.parameter_norms[name][k] == pytest.approx(gradient.norm().item(), rel=1e-5)


def test_a_hook_on_a_parameter_keeps_the_graph_in_one_piece():
    model = Chain()
    model.layers[0].weight.register_hook(lambda gradient: gradient.clamp(-1, 1))
    assert len(cut(model)) == 1
