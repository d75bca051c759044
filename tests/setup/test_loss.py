"""What user code may return as its components, and what it is told otherwise."""

import numpy as np
import pytest
import torch

from lossdoctor.config.load import parse_config
from lossdoctor.errors import UserCodeError
from lossdoctor.setup.build import open_setup
from lossdoctor.setup.loss import as_objectives

SCALAR = torch.tensor(2.0, requires_grad=True)


class TestComponents:
    def test_a_flat_mapping_is_the_objective_total(self):
        assert as_objectives({"a": SCALAR, "b": SCALAR * 2}, "step").keys() == {"total"}

    def test_a_nested_mapping_is_several_objectives(self):
        found = as_objectives({"g": {"a": SCALAR}, "d": {"b": SCALAR, "c": SCALAR}}, "step")
        assert {name: list(group) for name, group in found.items()} == {"g": ["a"], "d": ["b", "c"]}

    @pytest.mark.parametrize(
        "value",
        [
            torch.tensor(2.0),
            torch.tensor([2.0]),
            torch.tensor([[2.0]]),
            torch.tensor(2),
            torch.tensor(2.0, dtype=torch.float64),
            2,
            2.0,
            np.float32(2),
            np.float64(2),
            np.int64(2),
        ],
        ids=repr,
    )
    def test_scalars_of_every_kind(self, value):
        scalar = as_objectives({"a": value}, "step")["total"]["a"]
        assert scalar.shape == ()
        assert scalar.is_floating_point()
        assert float(scalar) == 2.0

    def test_the_gradient_path_survives(self):
        vector = torch.ones(1, requires_grad=True)
        assert as_objectives({"a": vector}, "step")["total"]["a"].requires_grad

    @pytest.mark.parametrize(
        ("returned", "found"),
        [
            (None, "a NoneType"),
            ([SCALAR], "a list"),
            (SCALAR, "a Tensor"),
            ((SCALAR, SCALAR), "a tuple"),
            ({}, "an empty mapping"),
            ({"a": torch.ones(3)}, r"component 'a' is a tensor of shape \(3,\)"),
            ({"a": torch.ones(0)}, r"component 'a' is a tensor of shape \(0,\)"),
            ({"a": torch.tensor(1j)}, "complex64"),
            ({"a": None}, "component 'a' is a NoneType"),
            ({"a": "0.3"}, "component 'a' is a str"),
            ({"a": True}, "component 'a' is a bool"),
            ({"a": [SCALAR]}, "component 'a' is a list"),
            ({"a": SCALAR, "g": {"b": SCALAR}}, "mixes scalars and mappings"),
            ({"g": {"a": SCALAR}, "d": {}}, "objective 'd' has no component"),
            ({"g": {"a": {"b": SCALAR}}}, "component 'a' is a dict"),
            ({1: SCALAR}, "a component named 1"),
            ({"": SCALAR}, "a component named ''"),
            ({None: {"a": SCALAR}}, "a component named None"),
        ],
        ids=repr,
    )
    def test_anything_else_is_explained(self, returned, found):
        with pytest.raises(UserCodeError, match=found) as raised:
            as_objectives(returned, "loss.step")
        assert raised.value.message.startswith("loss.step")
        assert raised.value.advice

    @pytest.mark.parametrize("name", ["[a]", "[/x]", "\x1b[2J", "a.b", "ä", " ", "a\nb"])
    def test_any_text_is_a_name(self, name):
        assert list(as_objectives({name: SCALAR}, "step")["total"]) == [name]


USER_CODE = """
import torch
from torch import nn

class Model(nn.Module):
    def __init__(self, fail=False):
        super().__init__()
        self.layer, self.fail = nn.Linear(3, 2), fail
    def forward(self, x, **more):
        if self.fail:
            raise ValueError("the model is tired")
        return self.layer(x)

def model(**args): return Model(**args)
def failing_model(): raise RuntimeError("no model today")
def no_model(): return "a model"
def compiled(): return torch.compile(Model())

def batches(): return [(torch.ones(4, 3), torch.zeros(4, 2))] * 3
def mappings(): return [{"x": torch.ones(4, 3), "mask": None}] * 3

def terms(output, batch):
    return {"mse": (output - batch[1]).square().mean(), "size": output.abs().mean()}
def step(model, batch):
    return terms(model(batch[0]), batch)
def step_with_output(model, batch):
    output = model(batch[0])
    return terms(output, batch), output
def step_twice(model, batch):
    model(batch[0])
    return step(model, batch)
def step_on_part(model, batch):
    return terms(model.layer(batch[0]), batch)
def failing_step(model, batch):
    return {"a": undefined_name}
def leaving_step(model, batch):
    raise SystemExit(3)
def nothing(model, batch):
    pass
"""


def line_of(text):
    return next(number for number, line in enumerate(USER_CODE.splitlines(), start=1) if text in line)


@pytest.fixture
def setup_of(tmp_path):
    (tmp_path / "mine.py").write_text(USER_CODE)

    def build(loss, model="mine:model", data="mine:batches", **args):
        content = {"model": {"target": model, "args": args}, "data": {"target": data}, "loss": loss}
        return open_setup(parse_config(content, tmp_path / "config.yaml"))

    return build


class TestUserCode:
    def test_function_gets_the_output_and_the_batch(self, setup_of):
        with setup_of({"function": "mine:terms"}) as setup:
            losses = setup.evaluate(0)
            assert list(losses.objectives["total"]) == ["mse", "size"]
            assert losses.output.shape == (4, 2)

    @pytest.mark.parametrize(
        ("step", "knows_output"),
        [("step", True), ("step_with_output", True), ("step_twice", False), ("step_on_part", False)],
    )
    def test_step_tells_the_output_where_it_calls_the_model_once(self, setup_of, step, knows_output):
        with setup_of({"step": f"mine:{step}"}) as setup:
            losses = setup.evaluate(0)
            assert list(losses.objectives["total"]) == ["mse", "size"]
            assert (losses.output is not None) == knows_output
            assert not setup.model._forward_hooks

    def test_a_compiled_model_is_measured_uncompiled(self, setup_of):
        with setup_of({"step": "mine:step"}, model="mine:compiled") as setup:
            assert type(setup.model).__name__ == "Model"

    @pytest.mark.parametrize(
        ("step", "message"),
        [
            (
                "failing_step",
                rf"NameError at .*mine.py:{line_of('undefined_name')}: name 'undefined_name' is not defined",
            ),
            ("leaving_step", rf"SystemExit at .*mine.py:{line_of('SystemExit')}: 3"),
        ],
    )
    def test_a_step_that_raises(self, setup_of, step, message):
        with setup_of({"step": f"mine:{step}"}) as setup:
            with pytest.raises(UserCodeError, match=f"calling loss.step: {message}"):
                setup.evaluate(0)
            assert not setup.model._forward_hooks

    def test_a_step_that_returns_nothing(self, setup_of):
        with setup_of({"step": "mine:nothing"}) as setup, pytest.raises(UserCodeError, match="returned a NoneType"):
            setup.evaluate(0)

    @pytest.mark.parametrize(
        ("model", "message"),
        [
            (
                "failing_model",
                rf"building model.target: RuntimeError at .*mine.py:{line_of('no model today')}: no model today",
            ),
            ("no_model", "model.target: mine:no_model returned a str"),
        ],
    )
    def test_a_factory_that_gives_no_model(self, setup_of, model, message):
        with pytest.raises(UserCodeError, match=message), setup_of({"step": "mine:step"}, f"mine:{model}"):
            pass

    def test_a_model_that_raises(self, setup_of):
        message = rf"calling the model: ValueError at .*mine.py:{line_of('is tired')}: the model is tired"
        with setup_of({"function": "mine:terms"}, fail=True) as setup, pytest.raises(UserCodeError, match=message):
            setup.evaluate(0)

    def test_wrong_arguments_of_the_model(self, setup_of):
        with (
            pytest.raises(UserCodeError, match="building model.target: TypeError.*depth"),
            setup_of({"step": "mine:step"}, depth=3),
        ):
            pass

    def test_built_in_components_want_images(self, setup_of):
        loss = {"components": {"mse": {"term": "mse"}}}
        with (
            setup_of(loss, data="mine:mappings") as setup,
            pytest.raises(UserCodeError, match="batch's target is missing"),
        ):
            setup.evaluate(0)
