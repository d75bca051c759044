"""At which operation a gradient of zero ends, and whether there was anything left to lower."""

import inspect
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from lossdoctor.instruments.examine import examine

from .zoo import Case, vectors


def dead_ends(step, weight=1.0):
    """The dead ends of a component `a` of a linear model's output, which lies well inside (-9, 9)."""
    case = Case(
        lambda: nn.Linear(5, 5),
        lambda model, batch: ({"a": step(model(batch[0])), "b": model(batch[0]).square().mean()}, None),
        vectors(2),
    )
    return examine(replace(case.setup(), weights={"a": weight, "b": 1.0})).dead_ends


@pytest.mark.parametrize(
    ("step", "operation"),
    [
        (lambda x: -F.relu(x - 9).mean(), "relu"),
        (lambda x: -(x - 9).clamp(min=0).mean(), "clamp"),
        (lambda x: (9 - x).clamp(max=0).mean(), "clamp"),
        (lambda x: F.l1_loss(x.clamp(9, 80), torch.full_like(x, 20)), "clamp"),
        (lambda x: F.l1_loss(torch.minimum(x, torch.tensor(-9.0)), torch.full_like(x, -20)), "minimum"),
        (lambda x: x.round().square().mean() + x.round().mean(), "round"),
        (lambda x: F.softmax(x[:, :1], 1).log().neg().mean(), "softmax"),
        (lambda x: torch.sigmoid(1e4 + x).mean(), "sigmoid"),
    ],
)
def test_a_way_that_is_blocked(step, operation):
    (end,) = dead_ends(step)
    assert (end.objective, end.component) == ("total", "a")
    assert operation in end.operation
    assert not end.met


@pytest.mark.parametrize(
    "step",
    [
        lambda x: F.relu(x - 9).mean(),
        lambda x: (x - 9).clamp(min=0).mean(),
        lambda x: -(x + 9).clamp(max=0).mean(),
        lambda x: torch.maximum(x, torch.tensor(9.0)).sum(),
        lambda x: x.clamp(min=9, max=80).mean(),
        lambda x: (F.relu(x - 9) + F.relu(-x - 9)).sum(),
    ],
)
def test_a_hinge_that_is_met(step):
    (end,) = dead_ends(step)
    assert end.met


def test_the_sign_of_the_weight_says_which_way_is_down():
    (end,) = dead_ends(lambda x: F.relu(x - 9).mean(), weight=-1.0)
    assert not end.met


def test_one_blocked_way_among_hinges_that_are_met():
    (end,) = dead_ends(lambda x: (F.relu(x - 9) - F.relu(-x - 9)).sum())
    assert not end.met


def clamped(x):
    safe = x.clamp(9, 80)
    return -safe.mean()


def test_names_the_line():
    (end,) = dead_ends(clamped)
    lines, start = inspect.getsourcelines(clamped)
    assert end.location.file == __file__
    assert end.location.line == start + next(n for n, line in enumerate(lines) if "clamp(9" in line)


@pytest.mark.parametrize("step", [lambda x: F.relu(x).mean(), lambda x: x.detach().mean(), lambda x: 1e-6 * x.sum()])
def test_nothing_where_something_comes_through_or_nothing_is_attached(step):
    assert dead_ends(step) == ()


def sure(x, threshold):
    """Of pseudo-labelling (Lee 2013): the cross entropy of those predictions that are sure of themselves."""
    probability, label = x.detach().softmax(1).max(1)
    return (F.cross_entropy(0.9 * x, label, reduction="none") * (probability > threshold)).mean()


def test_what_a_surer_model_would_select():
    (end,) = dead_ends(lambda x: sure(x, 0.99))
    assert end.selects
    assert not end.met


@pytest.mark.parametrize("step", [lambda x: sure(x, 1.0), lambda x: (x * torch.zeros(5)).sum()])
def test_what_no_model_would_select(step):
    (end,) = dead_ends(step)
    assert "mul" in end.operation
    assert not end.selects


def test_the_surer_model_is_forgotten():
    case = Case(
        lambda: nn.Linear(5, 5), lambda m, b: ({"a": sure(m(b[0]), 0.99), "b": m(b[0]).sum()}, None), vectors(2)
    )
    setup = case.setup()
    before = [parameter.detach().clone() for parameter in setup.model.parameters()]
    examine(setup)
    assert all(map(torch.equal, before, setup.model.parameters()))
