"""Measuring leaves no trace: everything is, bit by bit, what it was before."""

import gc
import random
import types

import numpy as np
import pytest
import torch
from torch import nn

import lossdoctor
from lossdoctor.errors import LossDoctorError
from lossdoctor.instruments.examine import examine
from lossdoctor.setup.build import Setup
from lossdoctor.setup.loss import Losses
from lossdoctor.setup.preserve import preserved

from .trace import bits, snapshot
from .zoo import CASES, Case, Heads, both_heads, vectors


def with_gradients(model):
    """As in the middle of a training: some parameters have a gradient already, some have none."""
    for k, parameter in enumerate(model.parameters()):
        if parameter.requires_grad and k % 2 == 0:
            parameter.grad = torch.randn_like(parameter)
    return model


@pytest.mark.parametrize("quick", [False, True], ids=["full", "quick"])
@pytest.mark.parametrize("name", CASES)
def test_examining_leaves_no_trace(name, quick):
    case = CASES[name]
    model = with_gradients(case.build())
    next(model.children(), model).eval()  # a mode of its own
    random.seed(11), np.random.seed(12), torch.manual_seed(13)
    before = snapshot(model)
    examine(case.setup(model), quick=quick)
    assert snapshot(model) == before


def test_a_sparse_gradient_survives():
    case = CASES["sparse embedding"]
    model = case.build()
    components, _ = case.step(model, case.batches[0])
    components["next"].backward()
    before = snapshot(model)
    assert model.embedding.weight.grad.is_sparse
    examine(case.setup(model))
    assert snapshot(model) == before
    assert model.embedding.weight.grad.is_sparse


class Restless(nn.Module):
    """Changes whatever a forward can change about a module."""

    def __init__(self):
        super().__init__()
        self.layer, self.norm = nn.Linear(5, 5), nn.BatchNorm1d(5)
        self.calls = 0
        self.last = None
        self.memory = torch.zeros(5)
        self.register_buffer("average", torch.zeros(5))
        self.register_buffer("counted", torch.zeros(()))

    def forward(self, x):
        self.calls += 1
        self.memory += x.mean(0)
        self.average = 0.9 * self.average + 0.1 * x.mean(0)  # a new tensor under the old name
        self.counted.add_(1)
        if not hasattr(self, "cache"):
            self.register_buffer("cache", torch.ones(5))
            self.extra = "made on first use"
        self.last = self.norm(self.layer(x))
        self.norm.eval()
        return self.last * self.cache


def of_output(model, batch):
    random.random(), np.random.rand(), torch.rand(3)
    out = model(batch[0])
    return {"a": out.square().mean(), "b": out.abs().mean()}, out


def test_a_forward_that_changes_its_module_is_undone():
    case = Case(Restless, of_output, vectors())
    model = case.build()
    before, memory = snapshot(model), bits(model.memory)
    examine(case.setup(model))
    assert snapshot(model) == before
    assert (model.calls, model.last, bits(model.memory)) == (0, None, memory)


def test_a_step_that_trains_is_undone():
    def step(model, batch):
        out = model(batch[0])
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        out.mean().backward()
        optimizer.step()
        model.requires_grad_(False)
        model[0].requires_grad_(True)
        return {"a": model(batch[0]).square().mean(), "b": model(batch[1]).mean()}, None

    case = Case(lambda: nn.Sequential(nn.Linear(5, 5), nn.Linear(5, 5)), step, vectors())
    model = with_gradients(case.build())
    before = snapshot(model)
    examine(case.setup(model))
    assert snapshot(model) == before


def test_parameters_that_change_their_shape_are_put_back():
    model = nn.Linear(2, 2)
    before = snapshot(model)
    with preserved(model):
        model.weight.data = torch.zeros(3, 3)
    assert snapshot(model) == before


def test_everything_is_put_back_when_user_code_raises():
    def step(model, batch):
        model.eval().requires_grad_(False)
        of_output(model, batch)
        raise ValueError("no")

    case = Case(Restless, step, vectors())
    model = with_gradients(case.build())
    before = snapshot(model)
    with pytest.raises(ValueError, match="no"):
        examine(case.setup(model))
    assert snapshot(model) == before


def test_nan_and_its_search_leave_no_trace():
    def step(model, batch):
        out = model(batch[0])
        return {"value": out.mean().log() * float("nan"), "gradient": (0 * out).sum().sqrt(), "fine": out.mean()}, out

    case = Case(Heads, lambda model, batch: step(lambda x: model(x)["left"], batch), vectors())
    model = with_gradients(case.build())
    before = snapshot(model)
    examination = examine(case.setup(model))
    assert {anomaly.component for anomaly in examination.anomalies} == {"value", "gradient"}
    assert snapshot(model) == before


def test_no_hook_stays_on_the_node_of_a_parameter():
    """Whoever holds such a node, as distributed training does, keeps its hooks alive."""

    def step(model, batch):
        return {"a": (0 * model(batch[0])).sum().sqrt()}, None

    case = Case(lambda: nn.Linear(5, 5), step, vectors(1))
    model = case.build()
    held = model.weight.expand_as(model.weight).grad_fn.next_functions[0][0]
    examine(case.setup(model))
    gc.collect()
    functions = [thing for thing in gc.get_objects() if type(thing) is types.FunctionType]
    assert held.variable is model.weight
    assert [hook for hook in functions if hook.__qualname__.startswith("_first_bad_backward.")] == []


@pytest.mark.filterwarnings("ignore:.*torch.jit.script.*:FutureWarning")
def test_scripted_and_lazy_modules():
    class Scripted(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = torch.jit.script(nn.BatchNorm1d(5).eval())

        def forward(self, x):
            return self.layer(x)

    case = Case(Scripted, of_output, vectors())
    model = case.build()
    examine(case.setup(model))
    assert not model.layer.training
    assert int(model.layer.num_batches_tracked) == 0

    case = Case(lambda: nn.Sequential(nn.LazyLinear(5), nn.Tanh()), of_output, vectors())
    examination = examine(case.setup())
    assert examination.gradients[0].blocks[0].parameters == 30


def test_a_backward_that_is_still_to_come_works():
    """Restoring what has not changed would count as a change of it, and autograd would refuse."""
    case = CASES["dropout"]
    model = case.build()
    pending = model(case.batches[0]).square().mean()
    examine(case.setup(model))
    pending.backward()
    assert all(parameter.grad is not None for parameter in model.parameters())


def test_batches_are_the_same_for_whoever_comes_next():
    def step(model, batch):
        batch[0].zero_()
        return of_output(model, batch)

    case = Case(Restless, step, vectors())
    before = [bits(tensor) for batch in case.batches for tensor in batch]
    examine(case.setup())
    assert [bits(tensor) for batch in case.batches for tensor in batch] == before


def test_precision_settings_are_put_back():
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("medium")
    try:
        case = CASES["shared trunk with heads"]
        model = case.build()
        settings = snapshot(model)
        examine(case.setup(model))
        assert snapshot(model) == settings
    finally:
        torch.set_float32_matmul_precision(before)


def test_inspecting_live_objects_as_a_library_leaves_no_trace():
    model = with_gradients(Heads())
    setup = Setup(model, vectors(), lambda model, batch: Losses({"total": both_heads(model, batch)[0]}))
    before = snapshot(model)
    lossdoctor.inspect(setup)
    assert snapshot(model) == before


def test_the_same_setup_gives_the_same_numbers_twice():
    case = CASES["dropout"]
    setup = case.setup()
    assert examine(setup).gradients == examine(setup).gradients
    with pytest.raises(LossDoctorError, match="no component"):
        lossdoctor.measure({"total": {}}, model=setup.model)
