from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from lossdoctor.instruments.examine import examine
from lossdoctor.instruments.parameters import ParameterObserver
from lossdoctor.setup.build import Setup
from lossdoctor.setup.loss import Losses


def test_sizes_as_torch_computes_them():
    model = nn.Sequential(nn.Linear(5, 7), nn.BatchNorm1d(7), nn.Linear(7, 2)).double()
    model[2].requires_grad_(False)
    model[1].half()
    sizes = ParameterObserver(model).facts().sizes
    assert set(sizes) == {"0.weight", "0.bias", "1.weight", "1.bias"}
    for name, size in sizes.items():
        values = model.get_parameter(name).detach()
        assert size.rms == pytest.approx(float(values.double().square().mean().sqrt()), rel=1e-3)
        assert size.norm == pytest.approx(float(values.double().norm()), rel=1e-3)
        assert (size.scalars, size.dimensions) == (values.numel(), values.dim())
    assert (sizes["0.weight"].dtype, sizes["1.weight"].dtype) == ("float64", "float16")


def test_a_model_without_parameters_has_no_sizes():
    assert ParameterObserver(nn.ReLU()).facts().sizes == {}


class TestByParameter:
    """What the gradient instrument says of single parameters and of the output, against plain backward."""

    def setup_method(self):
        self.model = nn.Sequential(nn.Linear(5, 8), nn.Tanh(), nn.Linear(8, 3)).double()
        self.batches = [(torch.randn(6, 5).double(), torch.randn(6, 3).double()) for _ in range(2)]
        self.facts = examine(
            Setup(self.model, self.batches, lambda model, batch: self.losses(model(batch[0]), batch))
        ).gradients[0]

    @staticmethod
    def losses(output, batch):
        first, second = F.mse_loss(output, batch[1]), -output[:, 0].abs().sum()
        return Losses({"total": {"fit": first, "first": second, "constant": torch.tensor(1.0)}}, output)

    def test_norms(self):
        for name, parameter in self.model.named_parameters():
            for k, component in enumerate(("fit", "first")):
                norms = []
                for batch in self.batches:
                    scalar = self.losses(self.model(batch[0]), batch).objectives["total"][component]
                    norms.append(float(torch.autograd.grad(scalar, parameter)[0].norm()))
                assert self.facts.parameter_norms[name][k] == pytest.approx(sum(norms) / 2)
            assert self.facts.parameter_norms[name][2] is None

    def test_products_at_the_output(self):
        for batch, G in zip(self.batches, self.facts.output_gramians, strict=True):
            output = self.model(batch[0]).detach().requires_grad_()
            scalars = self.losses(output, batch).objectives["total"]
            a, b = (torch.autograd.grad(scalars[name], output)[0] for name in ("fit", "first"))
            expected = [(a * a).sum(), (a * b).sum(), (b * b).sum()]
            assert [G[0][0], G[0][1], G[1][1]] == pytest.approx(torch.stack(expected).tolist())
            assert G[2] == (0.0, 0.0, 0.0)


def block():
    return nn.Sequential(nn.Linear(5, 4), nn.LayerNorm(4), nn.Linear(4, 2))


def unreached(patterns="*", objectives=("total",), change=lambda model: None):
    """What is known of a model whose module `q` is trained, `target` a copy of it, and `other` of the same make."""
    model = nn.ModuleDict({"q": block(), "target": block(), "other": block()})
    model["target"].load_state_dict(model["q"].state_dict())
    change(model)
    observer = ParameterObserver(model, patterns)
    loss = model["q"](torch.randn(3, 5)).square().mean()
    observer.observe(Losses({name: {"a": loss} for name in objectives}))
    return observer.facts()


def test_a_copy_is_told_from_another_module_of_the_same_make():
    facts = unreached()
    names = [f"{layer}.{kind}" for layer in (0, 1, 2) for kind in ("weight", "bias")]
    assert facts.copies == {f"target.{name}": f"q.{name}" for name in names}
    assert {name.split(".")[0] for name in facts.unreached} == {"target", "other"}


def test_a_module_that_has_gone_its_own_way_is_no_copy():
    assert unreached(change=lambda model: [p.data.mul_(1.01) for p in model["target"].parameters()]).copies == {}


@pytest.mark.parametrize(
    ("patterns", "objectives", "missed"),
    [
        ("q.*", ("total",), set()),
        ("[qo]*", ("total",), {"other"}),
        ({"a": "q.*", "b": "target.*"}, ("a", "b"), {"target"}),
        ({"a": "q.*"}, ("a", "b"), {"target", "other"}),
    ],
)
def test_what_is_not_selected_is_not_missed(patterns, objectives, missed):
    assert {name.split(".")[0] for name in unreached(patterns, objectives).unreached} == missed
