"""Which operation made NaN or infinity, and on which line."""

import inspect

import pytest
import torch
from torch import nn

from lossdoctor.errors import UserCodeError
from lossdoctor.instruments.examine import examine

from .zoo import Case, vectors


def line_of(function, text):
    """The number of the line of a function that contains a text."""
    lines, start = inspect.getsourcelines(function)
    return start + next(number for number, line in enumerate(lines) if text in line)


def anomalies(step, batches=None, model=lambda: nn.Linear(5, 5)):
    case = Case(model, lambda model, batch: (step(model(batch[0])), None), batches or vectors(1))
    return examine(case.setup()).anomalies


def test_nothing_where_all_is_finite():
    assert anomalies(lambda out: {"a": out.square().mean()}) == ()


def logarithm(out):
    shifted = out - out.max()
    logarithms = torch.log(shifted)
    return {"a": logarithms.mean(), "b": out.mean()}


def division(out):
    count = (out > 1e9).sum()
    return {"a": out.sum() / count, "b": out.mean()}


def overflow(out):
    large = out.abs() * 1e30
    return {"a": (large * large).mean(), "b": out.mean()}


@pytest.mark.parametrize(
    ("step", "operation", "text"),
    [(logarithm, "log", "torch.log"), (division, "div", "/ count"), (overflow, "mul", "large * large")],
)
def test_names_the_operation_that_made_a_value(step, operation, text):
    (anomaly,) = anomalies(step)
    assert (anomaly.objective, anomaly.component, anomaly.where, anomaly.batch) == ("total", "a", "value", 0)
    assert operation in anomaly.operation
    assert (anomaly.location.file, anomaly.location.line) == (__file__, line_of(step, text))


def root(out):
    nothing = 0 * out
    return {"a": nothing.square().sum().sqrt(), "b": out.mean()}


def where(out):
    safe = torch.where(out > 1e9, torch.log(out - out), out)
    return {"a": safe.mean(), "b": out.mean()}


def power(out):
    fraction = (out - out) ** 0.5
    return {"a": fraction.sum(), "b": out.mean()}


@pytest.mark.parametrize(
    ("step", "operation", "text"),
    [(root, "sqrt", ".sqrt()"), (where, "log", "torch.log"), (power, "pow", "** 0.5")],
)
def test_names_the_operation_whose_gradient_it_is(step, operation, text):
    (anomaly,) = anomalies(step)
    assert (anomaly.component, anomaly.where) == ("a", "gradient")
    assert anomaly.operation == operation
    assert (anomaly.location.file, anomaly.location.line) == (__file__, line_of(step, text))


def test_the_first_batch_that_has_it():
    batches = vectors(3)
    batches[1][0][0, 0] = 1e15

    def step(out):
        return {"a": (out.abs().max() * 1e10).square(), "b": out.tanh().mean()}

    (anomaly,) = anomalies(step, batches)
    assert (anomaly.batch, anomaly.where) == (1, "value")


def test_no_operation_is_blamed_for_data_that_was_bad_already():
    batches = vectors(1)
    batches[0][0][0, 0] = torch.nan
    (anomaly,) = anomalies(lambda out: {"a": out.mean()}, batches)
    assert (anomaly.where, anomaly.operation, anomaly.location) == ("value", None, None)


def test_every_component_that_has_it():
    found = anomalies(lambda out: {**logarithm(out), "c": root(out)["a"], "d": out.exp().mean()})
    assert [(anomaly.component, anomaly.where) for anomaly in found] == [("a", "value"), ("c", "gradient")]


def test_sparse_gradients():
    def step(out):
        return {"a": (0 * out).square().sum().sqrt(), "b": out.mean()}

    class Embedding(nn.Module):
        def __init__(self):
            super().__init__()
            self.table = nn.Embedding(11, 4, sparse=True)

        def forward(self, x):
            return self.table(x.long().clamp(0, 10))

    (anomaly,) = anomalies(step, model=Embedding)
    assert (anomaly.component, anomaly.operation) == ("a", "sqrt")


def test_code_that_counts_its_calls_and_leaves_the_component_out():
    calls = []

    def step(out):
        calls.append(1)
        return {"b": out.mean()} | ({"a": out.sum() * float("nan")} if len(calls) == 1 else {})

    (anomaly,) = anomalies(step)
    assert (anomaly.component, anomaly.operation) == ("a", None)


def test_a_search_that_fails_is_skipped_with_the_reason():
    calls = []

    def step(model, batch):
        calls.append(1)
        if len(calls) > 1:
            raise UserCodeError("only once")
        return {"a": model(batch[0]).sum() * float("nan")}, None

    examination = examine(Case(lambda: nn.Linear(5, 5), step, vectors(1)).setup())
    assert examination.anomalies is None
    assert "only once" in examination.skipped["anomalies"]
    assert examination.gradients is not None
