"""Fewer coordinates have the inner products of whole gradients, and are left alone where they would not."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.checkpoint import checkpoint

from lossdoctor.instruments import gradients
from lossdoctor.instruments.compact import compact
from lossdoctor.instruments.gradients import measure_gradients

from .zoo import CASES

WORDS = torch.tensor([[4, 9, 4, 0], [17, 9, 59, 0]])


class Changed(nn.Linear):
    """A layer whose result has a hook that changes the gradient on its way."""

    def forward(self, x):
        result = super().forward(x)
        result.register_hook(lambda gradient: 2 * gradient)
        return result


LAYERS = {
    "linear": (lambda: nn.Linear(40, 50), (6, 40)),
    "without bias": (lambda: nn.Linear(40, 50, bias=False), (6, 40)),
    "over time": (lambda: nn.Linear(40, 50), (2, 3, 40)),
    "over time, without bias": (lambda: nn.Linear(40, 50, bias=False), (2, 3, 40)),
    "a hook on the result": (lambda: Changed(40, 50), (6, 40)),
    "convolution": (lambda: nn.Conv2d(8, 60, 3), (2, 8, 4, 4)),
    "strided": (lambda: nn.Conv2d(8, 60, (3, 2), stride=(2, 3), padding=(1, 0), dilation=(1, 2)), (2, 8, 4, 6)),
    "1 x 1": (lambda: nn.Conv2d(40, 60, 1, bias=False), (2, 40, 2, 2)),
    "channels last": (lambda: nn.Conv2d(8, 60, 3).to(memory_format=torch.channels_last), (2, 8, 4, 4)),
    "embedding": (lambda: nn.Embedding(60, 7), WORDS),
    "embedding with padding": (lambda: nn.Embedding(60, 7, padding_idx=0), WORDS),
}


def ran(layer, size):
    """Run a layer in float64 on words, or numbers of some size, and return three functions of what comes out."""
    torch.manual_seed(0)
    layer = layer.double()
    given = size if isinstance(size, torch.Tensor) else torch.randn(size, dtype=torch.float64, requires_grad=True)
    result = layer(given)
    return [result.square().sum(), result.tanh().mean(), (result * torch.randn_like(result)).sum()]


def made(scalars, weight):
    return compact(scalars, [weight]).get(0)


@pytest.mark.parametrize(("build", "size"), LAYERS.values(), ids=LAYERS)
class TestCoordinates:
    @pytest.fixture
    def both(self, build, size):
        """The gradients of a weight, and what there is instead of them."""
        layer = build()
        scalars = ran(layer, size)
        small = made(scalars, layer.weight)
        whole = [torch.autograd.grad(scalar, layer.weight, retain_graph=True)[0] for scalar in scalars]
        thin = [torch.autograd.grad(scalar, small.edge, retain_graph=True)[0] for scalar in scalars]
        return whole, thin, small

    def test_have_the_inner_products_of_gradients(self, both):
        whole, thin, small = both
        for a, A in zip(whole, thin, strict=True):
            for b, B in zip(whole, thin, strict=True):
                product = (small.coordinates(A) * small.coordinates(B)).sum()
                assert product.item() == pytest.approx((a * b).sum().item(), rel=1e-10, abs=1e-10)

    def test_are_fewer(self, both):
        whole, thin, small = both
        assert 4 * small.coordinates(thin[0]).numel() <= whole[0].numel()

    def test_give_every_element_of_the_gradient(self, both):
        whole, thin, small = both
        for gradient, D in zip(whole, thin, strict=True):
            elements = small.entries(D, torch.arange(gradient.numel()))
            torch.testing.assert_close(elements, gradient.flatten())

    def test_of_no_slope_are_zero(self, both):
        _, thin, small = both
        assert not small.coordinates(torch.zeros_like(thin[0])).any()


def hooked(layer):
    layer.weight.register_hook(lambda gradient: 2 * gradient)
    return layer


class Twice(nn.Linear):
    def forward(self, x):
        return super().forward(x) + F.linear(x.tanh(), self.weight)


class Looked(nn.Conv2d):
    """Looks for its input in its kernel, instead of the other way round."""

    def forward(self, x):
        return F.conv2d(self.weight, x)


LEFT_ALONE = {
    "a kernel as input": (lambda: Looked(8, 60, 3), (1, 8, 3, 3)),
    "many positions": (lambda: nn.Linear(40, 50), (11, 40)),
    "many pixels": (lambda: nn.Conv2d(8, 60, 3), (2, 8, 9, 9)),
    "few channels out": (lambda: nn.Linear(40, 20), (6, 40)),
    "used twice": (lambda: Twice(40, 50), (6, 40)),
    "a hook on the weight": (lambda: hooked(nn.Linear(40, 50)), (6, 40)),
    "groups": (lambda: nn.Conv2d(16, 60, 3, groups=2), (2, 16, 4, 4)),
    "transposed": (lambda: nn.ConvTranspose2d(200, 60, 1), (1, 200, 2, 2)),
    "one dimension": (lambda: nn.Conv1d(20, 60, 3), (2, 20, 5)),
    "a small table": (lambda: nn.Embedding(15, 7), WORDS % 15),
    "a sparse gradient": (lambda: nn.Embedding(600, 7, sparse=True), WORDS),
    "by frequency": (lambda: nn.Embedding(600, 7, scale_grad_by_freq=True), WORDS),
}


@pytest.mark.parametrize(("build", "size"), LEFT_ALONE.values(), ids=LEFT_ALONE)
def test_is_left_alone(build, size):
    layer = build()
    assert made(ran(layer, size), layer.weight) is None


def test_what_would_have_to_be_computed_again_is_left_alone():
    layer, runs = nn.Linear(40, 50), []

    def forward(x):
        runs.append(x)
        return layer(x)

    result = checkpoint(forward, torch.randn(6, 40, requires_grad=True), use_reentrant=False)
    assert made([result.sum()], layer.weight) is None
    assert len(runs) == 1


def test_what_was_changed_in_place_is_left_to_the_backward_to_refuse():
    layer, x = nn.Linear(40, 50), torch.randn(6, 40)
    loss = layer(x).sum()
    x.add_(1)
    assert made([loss], layer.weight) is None


def test_inputs_that_are_not_finite_are_left_to_the_gradient():
    layer, x = nn.Linear(40, 50), torch.randn(6, 40)
    x[0, 0] = torch.inf
    assert made([layer(x).sum()], layer.weight) is None


def test_a_measurement_is_the_same_without(monkeypatch):
    case = CASES["layers wider than the batch"]
    (thin,) = measure_gradients(case.setup())
    monkeypatch.setattr(gradients, "compact", lambda scalars, inputs: {})
    (whole,) = measure_gradients(case.setup())
    assert thin.agreement == pytest.approx(whole.agreement, rel=1e-5)
    for name, norms in whole.parameter_norms.items():
        for found, norm in zip(thin.parameter_norms[name], norms, strict=True):
            assert found == (None if norm is None else pytest.approx(norm, rel=1e-5))


def test_a_measurement_makes_use_of_it(monkeypatch):
    found = []
    monkeypatch.setattr(gradients, "compact", lambda *given: found.append(compact(*given)) or found[-1])
    measure_gradients(CASES["layers wider than the batch"].setup())
    assert [len(small) for small in found] == [4, 4]
