"""`lossdoctor.measure` between forward and backward of somebody's own loop."""

import copy
import random
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import lossdoctor
from lossdoctor import balance
from lossdoctor.errors import LossDoctorError
from lossdoctor.instruments.gradients import measure_gradients

from .independent import expect
from .trace import bits, snapshot
from .zoo import CASES, Case, Heads, both_heads, vectors

PHOTOS = Path(__file__).parents[2] / "sample_data" / "photos"


def one_batch(case):
    return Case(case.model, case.step, case.batches[:1], case.weights, case.precision, case.owned)


def forward(case, model):
    random.seed(0), np.random.seed(0), torch.manual_seed(0)
    model.train()
    with torch.autocast("cpu", torch.bfloat16, enabled=case.precision == "bf16"):
        return case.step(model, copy.deepcopy(case.batches[0]))[0]


def backward(case, components):
    weighted = [
        case.weights.get(f"{objective}.{name}", case.weights.get(name, 1.0)) * scalar
        for objective, group in (components if case.owned else {"total": components}).items()
        for name, scalar in group.items()
    ]
    sum(weighted).backward()


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if "freezes" not in name])
def test_a_step_with_a_measurement_in_it_is_the_same_step(name):
    """Bit by bit, from the random numbers to the gradients of the user's own backward."""
    case = CASES[name]
    plain, measured = case.build(), case.build()
    backward(case, forward(case, plain))
    after_plain = snapshot(plain)

    components = forward(case, measured)
    before = snapshot(measured)
    lossdoctor.measure(components, model=measured, weights=case.weights)
    assert snapshot(measured) == before
    backward(case, components)
    after_measured = snapshot(measured)

    gradients = [after.pop("gradients") for after in (after_plain, after_measured)]
    contents = [{n: g and g[1] for n, g in found.items()} for found in gradients]
    assert contents[0] == contents[1]
    after_plain.pop("identity"), after_measured.pop("identity")
    assert after_plain == after_measured


@pytest.mark.parametrize("name", ["shared trunk with heads", "tied weights", "gan", "batch norm", "double precision"])
def test_gives_the_numbers_of_a_plain_backward(name):
    case = one_batch(CASES[name])
    model = case.build()
    report = lossdoctor.measure(forward(case, model), model=model, weights=case.weights)
    for objective in report.objectives:
        expected = expect(case, objective.name)
        shares = expected.grad_shares()
        for row in objective.components:
            assert row.grad_norm == pytest.approx(expected.grad_norm(row.name), rel=1e-5)
            assert row.value == pytest.approx(expected.value(row.name), rel=1e-5)
            assert row.weight == expected.weights[row.name]
            assert row.grad_share == (None if shares[row.name] is None else pytest.approx(shares[row.name], rel=1e-5))
        assert objective.grad_norm == pytest.approx(expected.total_norm(), rel=1e-5)


def test_gives_the_numbers_of_a_config():
    case = one_batch(CASES["dropout"])
    model = case.build()
    (live,) = lossdoctor.measure(forward(case, model), model=model, weights=case.weights).objectives
    configured = balance.summarize(measure_gradients(case.setup())[0])
    for ours, theirs in zip(live.components, configured.components, strict=True):
        assert ours.grad_norm == theirs.grad_norm
        assert ours.grad_share == theirs.grad_share


def test_gradients_that_are_already_there_are_not_touched():
    """As in gradient accumulation: the second micro-batch is measured on top of the first."""
    case = CASES["shared trunk with heads"]
    model = case.build()
    backward(case, forward(case, model))
    accumulated = {name: (id(p.grad), bits(p.grad)) for name, p in model.named_parameters()}
    lossdoctor.measure(forward(case, model), model=model, weights=case.weights)
    assert {name: (id(p.grad), bits(p.grad)) for name, p in model.named_parameters()} == accumulated


@pytest.mark.parametrize("before", [False, True])
def test_what_retains_its_gradient_does_not_collect_those_of_the_measurement(before):
    model, x = nn.Sequential(nn.Linear(5, 4), nn.Tanh(), nn.Linear(4, 3)), torch.randn(6, 5)
    hidden = model[0](x)
    hidden.retain_grad()
    output = model[2](model[1](hidden))
    components = {"square": output.square().mean(), "absolute": output.abs().mean()}
    if before:
        components["square"].backward(retain_graph=True)
    had = hidden.grad.clone() if before else None
    lossdoctor.measure(components, model=model)
    assert torch.equal(hidden.grad, had) if before else hidden.grad is None


def test_measuring_twice_gives_the_same():
    case = CASES["shared trunk with heads"]
    model = case.build()
    components = forward(case, model)
    first, second = (lossdoctor.measure(components, model=model, weights=case.weights) for _ in range(2))
    assert first.objectives == second.objectives
    backward(case, components)


def test_training_goes_the_same_way_with_measurements_in_between():
    def train(measuring):
        torch.manual_seed(0)
        model = nn.Sequential(nn.Linear(5, 8), nn.Dropout(0.2), nn.BatchNorm1d(8), nn.Linear(8, 5))
        optimizer = torch.optim.Adam(model.parameters())
        for x, y in vectors(6):
            out = model(x)
            terms = {"l2": (out - y).square().mean(), "l1": (out - y).abs().mean()}
            if measuring:
                lossdoctor.measure(terms, model=model, weights={"l1": 0.5})
            optimizer.zero_grad()
            (terms["l2"] + 0.5 * terms["l1"]).backward()
            optimizer.step()
        return [bits(parameter) for parameter in model.parameters()], bits(torch.rand(3))

    assert train(measuring=True) == train(measuring=False)


def test_inside_the_users_autocast():
    case = CASES["shared trunk with heads"]
    model = case.build()
    expected = lossdoctor.measure(forward(case, model), model=model).objectives
    components = forward(case, model)
    with torch.autocast("cpu", torch.bfloat16):
        assert lossdoctor.measure(components, model=model).objectives == expected


def test_rules_that_need_more_than_gradients_are_skipped():
    case = CASES["shared trunk with heads"]
    model = case.build()
    report = lossdoctor.measure(forward(case, model), model=model)
    assert report.command == "measure"
    assert {"LD201", "LD801"} <= {skipped.code for skipped in report.skipped}
    assert not {"LD101", "LD102", "LD501", "LD503"} & {skipped.code for skipped in report.skipped}


def test_finds_what_gradients_show():
    model = nn.Linear(5, 5)
    out = model(torch.randn(6, 5))
    report = lossdoctor.measure(
        {"huge": 1e6 * out.square().sum(), "tiny": out.abs().mean(), "cut": out.detach().mean()}, model=model
    )
    assert {"LD102", "LD501"} <= {finding.code for finding in report.findings}


class TestRefusal:
    @pytest.mark.parametrize("model", [None, [nn.Linear(5, 4)], nn.Linear])
    def test_what_is_no_model(self, model):
        with pytest.raises(LossDoctorError, match=r"measure: model is a \w+, expected an nn\.Module"):
            lossdoctor.measure({"a": torch.ones((), requires_grad=True)}, model=model)

    @pytest.mark.parametrize("config", [None, 3, [{"version": 1}]])
    def test_what_is_no_config(self, config):
        with pytest.raises(LossDoctorError, match=r"inspect: a \w+ is no config"):
            lossdoctor.inspect(config)

    def test_a_gradient_in_the_loss_without_a_graph(self):
        model, x = nn.Linear(5, 1), torch.randn(6, 5, requires_grad=True)
        value = model(x).tanh().sum()
        torch.autograd.grad(value, x)
        with pytest.raises(LossDoctorError, match="create_graph=True"):
            lossdoctor.measure({"value": value}, model=model)

    def test_what_is_no_scalar(self):
        model = nn.Linear(5, 5)
        with pytest.raises(LossDoctorError, match=r"component 'a' is a tensor of shape \(6, 5\)"):
            lossdoctor.measure({"a": model(torch.randn(6, 5))}, model=model)

    @pytest.mark.parametrize("components", [{}, [], None, {"a": {}}])
    def test_no_components(self, components):
        with pytest.raises(LossDoctorError, match="measure"):
            lossdoctor.measure(components, model=nn.Linear(5, 5))

    def test_after_the_backward(self):
        model = nn.Linear(5, 5)
        loss = model(torch.randn(6, 5)).square().mean()
        loss.backward()
        with pytest.raises(LossDoctorError, match="differentiating a.*second time") as raised:
            lossdoctor.measure({"a": loss}, model=model)
        assert "before any backward()" in raised.value.advice

    def test_a_weight_with_a_mistyped_name(self):
        model = Heads()
        components, _ = both_heads(model, vectors()[0])
        with pytest.raises(LossDoctorError, match="weight for 'lefd'") as raised:
            lossdoctor.measure(components, model=model, weights={"lefd": 1.0, "right": 1.0})
        assert "left" in raised.value.advice

    @pytest.mark.parametrize("weight", [float("nan"), float("inf"), "heavy", None])
    def test_weights_that_are_no_numbers(self, weight):
        model = Heads()
        components, _ = both_heads(model, vectors()[0])
        with pytest.raises(LossDoctorError, match="weight.*'left'"):
            lossdoctor.measure(components, model=model, weights={"left": weight})


def test_weights_of_components_that_come_in_other_steps_only():
    model = Heads()
    components, _ = both_heads(model, vectors()[0])
    weights = {"left": 1.0, "right": 1.0, "apart": 1.0, "right_penalty": 1.0}
    assert lossdoctor.measure(components, model=model, weights=weights).objectives


def test_weights_may_be_tensors():
    model = Heads()
    components, _ = both_heads(model, vectors()[0])
    (report,) = lossdoctor.measure(components, model=model, weights={"left": torch.tensor(2.0)}).objectives
    assert report.components[0].weight == 2.0
    assert type(report.components[0].weight) is float


class TestGradientsSwitchedOff:
    """A step may be measured where gradients are off by now, but not where they were off all along."""

    @pytest.mark.parametrize("off", [torch.no_grad, torch.inference_mode])
    def test_after_the_forward(self, off):
        model = Heads()
        components, _ = both_heads(model, vectors()[0])
        expected = lossdoctor.measure(components, model=model).objectives
        with off():
            assert lossdoctor.measure(components, model=model).objectives == expected

    @pytest.mark.parametrize("off", [torch.no_grad, torch.inference_mode])
    def test_during_the_forward(self, off):
        model = Heads()
        with off(), pytest.raises(LossDoctorError, match="no_grad") as raised:
            lossdoctor.measure(both_heads(model, vectors()[0])[0], model=model)
        assert "outside" in raised.value.advice

    def test_what_is_detached_while_they_are_on_is_a_finding(self):
        model = nn.Linear(5, 5)
        report = lossdoctor.measure({"cut": model(torch.randn(6, 5)).detach().mean()}, model=model)
        assert [finding.code for finding in report.findings] == ["LD501"]

    @pytest.mark.parametrize("off", [torch.no_grad, torch.inference_mode])
    def test_around_an_inspection(self, off):
        config = {
            "model": {"target": "unet", "args": {"base_channels": 4}},
            "data": {"images": str(PHOTOS), "size": 32, "batch_size": 2},
            "loss": {"components": {"l1": {"term": "l1", "weight": 1.0}, "tv": {"term": "tv", "weight": 0.1}}},
            "measure": {"batches": 1},
        }
        expected = lossdoctor.inspect(config).objectives
        with off():
            assert lossdoctor.inspect(config).objectives == expected


class TestGraphsThatAreGone:
    def test_the_optimizer_has_stepped(self):
        model = nn.Sequential(nn.Linear(5, 5), nn.Linear(5, 5))
        loss = model(torch.randn(6, 5)).square().mean()
        loss.backward(retain_graph=True)
        torch.optim.SGD(model.parameters(), 0.1).step()
        with pytest.raises(LossDoctorError, match="changed in place") as raised:
            lossdoctor.measure({"a": loss}, model=model)
        assert "optimizer.step()" in raised.value.advice

    def test_a_compiled_model_gives_its_buffers_away(self):
        class Compiled(torch.autograd.Function):
            @staticmethod
            def forward(ctx, x):
                return x.clone()

            @staticmethod
            def backward(ctx, g):
                raise RuntimeError("This backward function was compiled with non-empty donated buffers which requires")

        model = nn.Linear(5, 5)
        with pytest.raises(LossDoctorError, match=r"torch\.compile") as raised:
            lossdoctor.measure({"a": Compiled.apply(model(torch.randn(6, 5))).mean()}, model=model)
        assert "donated_buffer = False" in raised.value.advice
