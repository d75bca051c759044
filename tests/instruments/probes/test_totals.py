"""The effective coefficients of a total are those it was written with, in closed form."""

import pytest
import torch
from torch import nn

from lossdoctor.errors import LossDoctorError
from lossdoctor.instruments.probes.replay import NotApplicableError, Replay
from lossdoctor.instruments.probes.totals import coefficients, probe_totals
from lossdoctor.setup.build import Setup
from lossdoctor.setup.loss import Losses, Total

WEIGHTS = {"l2": 0.5, "l1": 2.0, "size": 0.1}


def terms(model, batch):
    output = model(batch[0])
    error = output - batch[1]
    return {"l2": error.square().mean(), "l1": error.abs().mean(), "size": 1e-3 * output.square().mean()}


def probe(total, weights=WEIGHTS, model=None, loss=terms):
    torch.manual_seed(0)
    batch = torch.randn(16, 4), torch.randn(16, 3)
    setup = Setup(
        model or nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 3)),
        [batch],
        lambda model, batch: Losses({"total": loss(model, batch)}),
        weights=weights,
        total=Total(total),
    )
    (facts,) = probe_totals(Replay(setup))
    return facts


def weighted(factors):
    def total(model, batch):
        values = terms(model, batch)
        return sum(factor * values[name] for name, factor in factors.items())

    return total


@pytest.mark.parametrize(
    "factors",
    [WEIGHTS, {**WEIGHTS, "l1": 4.0}, {**WEIGHTS, "size": 0.0}, {**WEIGHTS, "l2": -0.5}, {"l2": 3, "l1": 8, "size": 4}],
)
def test_effective_coefficients(factors):
    facts = probe(weighted(factors))
    assert {c.name: c.effective for c in facts.components} == pytest.approx(factors, rel=1e-3, abs=1e-3)
    assert {c.name: c.weight for c in facts.components} == WEIGHTS
    assert facts.residual < 1e-3
    assert facts.joint is None
    assert {c.response for c in facts.components} == {None}


def test_a_term_that_is_no_component_is_left_over():
    def total(model, batch):
        return weighted(WEIGHTS)(model, batch) + model[0].weight.square().sum()

    facts = probe(total)
    assert facts.residual > 0.1


def test_the_rest_is_what_is_orthogonal():
    """∇total = 2 a + 3 b + c of orthogonal a, b, c with the norms 1, 2 and 4; c is no component."""
    rows = torch.tensor([[1.0, 0, 0], [0, 2, 0], [2, 6, 4]], dtype=torch.float64)
    effective, errors, rest = coefficients(rows @ rows.T, 1e-6)
    assert effective.tolist() == pytest.approx([2, 3])
    assert errors.max() < 1e-4
    assert rest == pytest.approx(4 / (4 + 36 + 16) ** 0.5)


def test_components_with_one_gradient_are_told_together():
    def twins(model, batch):
        values = terms(model, batch)
        return {"a": values["l2"], "b": 3 * values["l2"], "l1": values["l1"]}

    def total(model, batch):
        values = twins(model, batch)
        return 2 * values["a"] + 2 * values["b"] + 2 * values["l1"]

    facts = probe(total, {"a": 1.0, "b": 1.0, "l1": 2.0}, loss=twins)
    assert {c.name: c.effective for c in facts.components} == {"a": None, "b": None, "l1": pytest.approx(2, rel=1e-3)}
    assert facts.joint.components == ("a", "b")
    assert facts.joint.effective == pytest.approx(2, rel=1e-3)


@pytest.mark.parametrize(
    ("power", "expected"), [(lambda w: w, 1.0), (lambda w: w**2, None), (lambda w: w > 0, 0.0), (lambda _: 7.0, 0.0)]
)
def test_growth_with_the_weight(power, expected):
    def total(model, batch, weights):
        values = terms(model, batch)
        return values["l2"] + power(weights["l1"]) * values["l1"]

    facts = probe(total, {"l2": 1.0, "l1": 1.0})
    response = next(c.response for c in facts.components if c.name == "l1")
    if expected is None:
        assert response > 2  # (w + g)² − w² = (2 w + g) g
    else:
        assert response == pytest.approx(expected, abs=1e-5)


class Noisy(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(4, 3)

    def forward(self, x):
        return nn.functional.dropout(self.linear(x), 0.5)


def test_the_same_random_numbers():
    facts = probe(weighted(WEIGHTS), model=Noisy())
    assert facts.residual < 1e-3


def test_other_random_numbers_are_not_compared():
    def total(model, batch):
        model(batch[0])
        return weighted(WEIGHTS)(model, batch)

    with pytest.raises(NotApplicableError, match="other random numbers"):
        probe(total, model=Noisy())


def test_no_total():
    setup = Setup(
        nn.Linear(4, 3), [(torch.randn(2, 4), torch.randn(2, 3))], lambda m, b: Losses({"total": terms(m, b)})
    )
    with pytest.raises(NotApplicableError, match=r"loss\.total"):
        probe_totals(Replay(setup))


def test_a_total_that_fails_is_blamed():
    with pytest.raises(LossDoctorError, match=r"calling loss\.total: KeyError"):
        probe(lambda model, batch: terms(model, batch)["nothing"])


@pytest.mark.parametrize(("factor", "is_switch"), [(lambda w: w > 0, True), (lambda _: 1.0, False)])
def test_a_weight_that_is_a_switch(factor, is_switch):
    def total(model, batch, weights):
        values = terms(model, batch)
        return values["l2"] + factor(weights["l1"]) * values["l1"]

    facts = probe(total, {"l2": 1.0, "l1": 1.0})
    assert {c.name: c.is_switch for c in facts.components if c.name == "l1"} == {"l1": is_switch}
