"""Every number of the gradient instrument, against plain backwards on fresh copies of the model."""

import copy
import dataclasses
import math
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lossdoctor import balance
from lossdoctor.config.load import load_config
from lossdoctor.errors import LossDoctorError
from lossdoctor.instruments.gradients import GradientObserver, measure_gradients
from lossdoctor.setup.build import Setup, open_setup
from lossdoctor.setup.loss import Losses

from .independent import expect, owned_modules
from .zoo import CASES, Case, Heads, both_heads, vectors

ROOT = Path(__file__).parents[2]
CONFIGS = sorted([*ROOT.glob("sample_data/*/*.yaml"), *ROOT.glob("tests/healthy/*.yaml")])
PLAIN = [name for name, case in CASES.items() if not case.owned]
NESTED = [(name, objective) for name, case in CASES.items() for objective in case.owned]


def close(number, rel=1e-5, scale=0.0):
    """Equal to 1e-5 of the number, or to 1e-6 of the scale of the terms that it is a sum of, where they may cancel."""
    return None if number is None else pytest.approx(number, rel=rel, abs=1e-6 * scale)


@pytest.mark.parametrize(
    ("name", "objective"), [*((name, "total") for name in PLAIN), *NESTED], ids=lambda value: value.replace(" ", "-")
)
def test_agrees_with_plain_backwards(name, objective):
    case = CASES[name]
    measured = {facts.name: facts for facts in measure_gradients(case.setup())}
    # A backward of the total in bfloat16 rounds the sums of the components' gradients, which √(wᵀGw) does not.
    rounding = 2e-2 if "bf16" in name else 1e-5
    assert_agree(balance.summarize(measured[objective]), expect(case, objective), rounding)


def assert_agree(report, expected, rounding=1e-5):
    shares = expected.grad_shares()
    assert [row.name for row in report.components] == expected.components
    for row in report.components:
        assert row.value == close(expected.value(row.name))
        assert row.grad_norm == close(expected.grad_norm(row.name))
        assert row.grad_share == close(shares[row.name])
        assert row.output_grad_norm == close(expected.output_grad_norm(row.name))
        assert row.cosine_to_total == close(expected.cosine_to_total(row.name), rounding, scale=1)
        assert row.attached == any(expected.reaches(row.name, p) for p in expected.parameters)
        assert row.finite
    for cosine in report.cosines:
        assert cosine.cosine == close(expected.cosine(cosine.a, cosine.b), scale=1)
    assert report.grad_norm == close(expected.total_norm(), rounding)
    assert report.value == close(expected.total_value(), rounding)


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_agrees_with_plain_backwards_on_whole_setups(path):
    with open_setup(load_config(path, ["measure.batches=1", "measure.seed=0"])) as setup:

        def step(model, batch):
            losses = setup.loss(model, batch)
            output = losses.output if isinstance(losses.output, (Tensor, tuple, dict)) else None
            return losses.objectives, output

        case = Case(lambda: copy.deepcopy(setup.model), step, setup.batches, setup.weights)
        if isinstance(setup.parameters, str):
            owned = owned_modules(case)
        else:
            owned = {objective: pattern.removesuffix("*") for objective, pattern in setup.parameters.items()}
        case = dataclasses.replace(case, owned=owned if len(owned) > 1 else {})
        for facts in measure_gradients(case.setup(parameters=setup.parameters)):
            assert_agree(balance.summarize(facts), expect(case, facts.name))


def measure(components, model=None, weights=None, **options):
    """Measure one batch of a linear layer; `components` maps its 6×5 output to scalars."""
    case = Case(lambda: model or nn.Linear(5, 5), lambda model, batch: (components(model(batch[0])), None), vectors(1))
    return measure_gradients(case.setup(weights=weights or {}, **options))[0]


def whole(facts, batch=0):
    return np.sum([np.array(block.gramians[batch]) for block in facts.blocks], axis=0)


class TestGramian:
    def test_is_the_matrix_of_inner_products_of_each_block(self):
        case = CASES["shared trunk with heads"]
        (facts,), expected = measure_gradients(case.setup()), expect(case)
        for batch in range(2):
            for module in ("trunk", "left", "right", ""):
                names = [p for p in expected.parameters if p.rpartition(".")[0].split(".")[0] == module]
                plain = [
                    [expected.runs[a][batch].dot(expected.runs[b][batch], names) for b in expected.components]
                    for a in expected.components
                ]
                measured = sum(np.array(block.gramians[batch]) for block in facts.blocks if block.name == module)
                np.testing.assert_allclose(measured, plain, rtol=1e-5, atol=1e-6 * np.max(plain))

    @pytest.mark.parametrize("name", ["shared trunk with heads", "complex parameters", "parameters of many blocks"])
    def test_is_symmetric_and_positive_semidefinite(self, name):
        for facts in measure_gradients(CASES[name].setup()):
            for block in facts.blocks:
                for G in map(np.array, block.gramians):
                    assert (G == G.T).all()
                    assert np.linalg.eigvalsh(G).min() >= -1e-6 * np.trace(G)

    def test_blocks_are_disjoint_and_cover_what_is_reached(self):
        case = CASES["frozen layers"]
        (facts,) = measure_gradients(case.setup())
        reached = [p for p in case.build().parameters() if p.requires_grad]
        assert sum(block.parameters for block in facts.blocks) == sum(p.numel() for p in reached)

    @pytest.mark.parametrize("weights", [(1.0, 1.0, 1.0), (0.0, 2.0, -3.0), (1e6, 1.0, 1e-6)])
    def test_gives_the_norm_of_the_total_for_any_weights(self, weights):
        case = CASES["shared trunk with heads"]
        (facts,) = measure_gradients(case.setup())
        for batch in range(2):
            model = case.build()
            components, _ = case.step(model, case.batches[batch])
            sum(w * scalar for w, scalar in zip(weights, components.values(), strict=True)).backward()
            real = math.sqrt(sum(float(p.grad.double().square().sum()) for p in model.parameters()))
            assert balance.total_norm(whole(facts, batch), weights) == pytest.approx(real, rel=1e-5)

    def test_permuting_the_components_permutes_it(self):
        case, order = CASES["shared trunk with heads"], ["apart", "left", "right"]

        def permuted(model, batch):
            components, output = both_heads(model, batch)
            return {name: components[name] for name in order}, output

        (facts,) = measure_gradients(case.setup())
        (other,) = measure_gradients(Case(case.model, permuted, case.batches, case.weights).setup())
        back = [other.components.index(name) for name in facts.components]
        assert other.components == tuple(order)
        np.testing.assert_allclose(whole(other)[np.ix_(back, back)], whole(facts), rtol=1e-6)
        rows = {row.name: row for row in balance.summarize(other).components}
        for row in balance.summarize(facts).components:
            assert rows[row.name].grad_share == pytest.approx(row.grad_share, rel=1e-6)


class TestRange:
    """Squares of 1e±25 are beyond float32."""

    @pytest.mark.parametrize("scale", [1e-25, 1e-30, 1e18, 1e25])
    def test_tiny_and_huge_gradients_are_exact(self, scale):
        facts = measure(lambda out: {"scaled": scale * out.square().mean(), "plain": out.square().mean()})
        (scaled, cross), (_, plain) = whole(facts)
        assert math.sqrt(scaled) == pytest.approx(scale * math.sqrt(plain), rel=1e-5)
        assert cross == pytest.approx(scale * plain, rel=1e-5)

    def test_a_tiny_gradient_in_the_trunk_survives_beside_a_large_one_in_the_head(self):
        class Faint(nn.Module):
            def __init__(self):
                super().__init__()
                self.trunk, self.head = nn.Linear(5, 5), nn.Linear(5, 5)

            def forward(self, x):
                return self.head(1e-25 * self.trunk(x))

        facts = measure(lambda out: {"a": out.square().sum(), "b": out.sum()}, Faint())
        (trunk,) = (np.array(block.gramians[0]) for block in facts.blocks if block.name == "trunk")
        (head,) = (np.array(block.gramians[0]) for block in facts.blocks if block.name == "head")
        assert 1e-54 < trunk[0, 0] < 1e-46
        assert head[0, 0] > 1e-2
        a, b = (row.grad_share for row in balance.summarize(facts).components)
        assert a + b == pytest.approx(1)

    def test_exact_zeros_stay_exact_zeros(self):
        facts = measure(lambda out: {"dead": (0 * out).mean(), "alive": out.square().mean()})
        G = whole(facts)
        assert G[0].tolist() == [0.0, 0.0]
        assert G[1, 1] > 0
        dead, alive = balance.summarize(facts).components
        assert (dead.attached, dead.grad_norm, dead.grad_share, dead.cosine_to_total) == (True, 0.0, 0.0, None)
        assert alive.grad_share == 1.0

    @pytest.mark.parametrize("bad", [math.nan, math.inf])
    def test_a_component_that_is_not_finite_leaves_the_others_alone(self, bad):
        def components(out):
            return {"a": out.square().mean(), "bad": bad * out.mean(), "b": out.abs().mean()}

        with_bad = measure(components)
        without = measure(lambda out: {k: v for k, v in components(out).items() if k != "bad"})
        np.testing.assert_allclose(whole(with_bad)[np.ix_([0, 2], [0, 2])], whole(without), rtol=1e-6)
        a, broken, b = balance.summarize(with_bad).components
        alone = [row.grad_share for row in balance.summarize(without).components]
        assert [a.grad_share, b.grad_share] == pytest.approx(alone)
        assert (broken.finite, broken.value, broken.grad_norm, broken.grad_share) == (False, None, None, None)
        assert balance.summarize(with_bad).grad_norm is None
        assert balance.summarize(with_bad, (1.0, 0.0, 1.0)).grad_norm == pytest.approx(
            balance.summarize(without).grad_norm
        )

    def test_a_finite_value_whose_gradient_is_not(self):
        facts = measure(lambda out: {"root": (0 * out).sum().sqrt(), "fine": out.square().mean()})
        root, fine = balance.summarize(facts).components
        assert (root.value, root.grad_norm, root.grad_share, root.finite) == (0.0, None, None, False)
        assert (fine.finite, fine.grad_share) == (True, 1.0)

    def test_fp16_keeps_gradients_that_half_precision_would_lose(self):
        """2e-9 is below the smallest fp16 number, 6e-8."""
        model = nn.Linear(5, 5).half()
        case = Case(
            lambda: model,
            lambda model, batch: ({"faint": 2e-9 * model(batch[0]).float().sum(), "b": model(batch[0]).sum()}, None),
            vectors(1, dtype=torch.float16),
        )
        G = whole(measure_gradients(case.setup(precision="fp16"))[0])
        inputs = case.batches[0][0].double().sum(0)
        exact = 5 * (float(inputs.square().sum()) + 6**2)  # of Σ outputs: every row of W has Σ inputs, every bias 6
        assert math.sqrt(G[0, 0]) == pytest.approx(2e-9 * math.sqrt(exact), rel=1e-2)
        assert math.sqrt(G[1, 1]) == pytest.approx(math.sqrt(exact), rel=1e-2)

    def test_fp16_overflow_at_the_first_scale_is_no_fault(self):
        model = nn.Linear(5, 5).half()
        case = Case(
            lambda: model,
            lambda model, batch: ({"a": 30 * model(batch[0]).sum()}, None),
            vectors(1, dtype=torch.float16),
        )
        (row,) = balance.summarize(measure_gradients(case.setup(precision="fp16"))[0]).components
        assert row.finite
        assert row.grad_norm > 0


class TestMode:
    @pytest.mark.parametrize("mode", ["train", "eval"])
    def test_the_mode_of_the_measurement_is_the_setups(self, mode):
        """Whatever mode the model is in when it comes."""
        case = CASES["batch norm"]
        model = case.build().train(mode == "train")
        components, _ = case.step(model, case.batches[0])
        facts = measure_gradients(case.setup(case.build().train(mode == "eval"), mode=mode))[0]
        assert facts.values[0] == pytest.approx([float(scalar.detach()) for scalar in components.values()])


def test_objectives_that_share_a_forward():
    """The first one's backwards must leave the graph for the second."""

    def step(model, batch):
        out = model(batch[0])
        return {"one": {"left": out["left"].square().sum()}, "two": {"right": out["right"].square().sum()}}, None

    case = Case(Heads, step, vectors(1), owned={"one": "trunk.", "two": "trunk."})
    for facts in measure_gradients(case.setup(parameters="trunk.*")):
        assert_agree(balance.summarize(facts), expect(case, facts.name))


class TestReach:
    def test_detached_components_are_not_attached_and_have_no_share(self):
        facts = measure(
            lambda out: {"cut": out.detach().mean(), "number": 2.5, "b": out.mean(), "c": out.square().sum()}
        )
        cut, number, b, c = balance.summarize(facts).components
        assert (cut.attached, number.attached, b.attached) == (False, False, True)
        assert (cut.grad_norm, cut.grad_share, number.value, number.grad_share) == (0.0, None, 2.5, None)
        assert b.grad_share + c.grad_share == pytest.approx(1)

    def test_a_component_that_reaches_no_shared_parameter_has_no_share(self):
        def step(model, batch):
            out = model(batch[0])
            return {
                "own": out["right"].square().mean(),
                "left": out["left"].mean(),
                "left2": out["left"].exp().mean(),
            }, None

        model = Heads(nn.Identity())
        model.left, model.right = nn.Linear(5, 5), nn.Linear(5, 5)
        own, *rest = balance.summarize(measure_gradients(Case(lambda: model, step, vectors(1)).setup())[0]).components
        assert own.grad_norm > 0
        assert own.grad_share is None
        assert sum(row.grad_share for row in rest) == pytest.approx(1)

    def test_none_and_zero_are_told_apart_per_parameter(self):
        def step(model, batch):
            out = model(batch[0])
            return {"zero": (0 * out["left"]).sum(), "some": out["right"].sum()}, None

        (facts,) = measure_gradients(Case(Heads, step, vectors(1)).setup())
        reached = {block.name: block.reached_by for block in facts.blocks}
        assert reached == {"trunk": (True, True), "left": (True, False), "right": (False, True), "": (False, True)}

    def test_attached_is_about_the_model_not_about_the_measured_parameters(self):
        def step(model, batch):
            out = model(batch[0])
            return {"left": out["left"].sum(), "right": out["right"].sum()}, None

        case = Case(Heads, step, vectors(1))
        left, right = balance.summarize(measure_gradients(case.setup(parameters="left.*"))[0]).components
        assert (left.attached, right.attached) == (True, True)
        assert left.grad_norm > 0
        assert (right.grad_norm, right.grad_share) == (0.0, None)

    def test_a_gradient_that_ends_outside_the_model_does_not_count(self):
        foreign = nn.Parameter(torch.ones(()))
        facts = measure(lambda out: {"foreign": foreign * out.detach().mean(), "b": out.mean()})
        assert facts.attached == (False, True)

    def test_model_without_trainable_parameters(self):
        facts = measure(lambda out: {"a": out.mean()}, nn.Linear(5, 5).requires_grad_(False))
        assert facts.attached == (False,)
        assert balance.summarize(facts).components[0].grad_norm == 0.0

    def test_scalars_that_the_model_returns_are_no_outputs(self):
        """A model that computes its loss returns it beside the logits; its gradient at itself is 1."""

        def step(model, batch):
            out = model(batch[0])
            loss = 0.1 * out.square().sum()
            return {"loss": loss}, {"loss": loss, "logits": out}

        case = Case(lambda: nn.Linear(5, 5), step, vectors(1))
        output = case.build()(case.batches[0][0]).detach()
        (row,) = balance.summarize(measure_gradients(case.setup())[0]).components
        assert row.output_grad_norm == pytest.approx(float((0.2 * output).norm()), rel=1e-5)


class TestBatches:
    def test_a_component_of_some_batches_is_averaged_over_those(self):
        case = CASES["components in some batches"]
        (facts,) = measure_gradients(case.setup())
        assert facts.components == ("mse", "size", "l1", "penalty")
        assert [batch[3] is None for batch in facts.values] == [True, True, False]
        assert [batch[2] is None for batch in facts.values] == [False, False, True]

    def test_spread_is_the_relative_standard_deviation(self):
        (facts,) = measure_gradients(CASES["components in some batches"].setup())
        size = balance.summarize(facts).components[1]
        values = [batch[1] for batch in facts.values]
        norms = [math.sqrt(whole(facts, batch)[1, 1]) for batch in range(3)]
        assert size.spread.value == pytest.approx(np.std(values, ddof=1) / np.mean(values))
        assert size.spread.grad_norm == pytest.approx(np.std(norms, ddof=1) / np.mean(norms))

    def test_an_objective_that_comes_in_later_is_refused(self):
        case = CASES["gan"]
        observer = GradientObserver(case.setup())
        objectives = case.setup().evaluate(0).objectives
        observer.observe(Losses({"generator": objectives["generator"]}))
        with pytest.raises(LossDoctorError, match="discriminator"):
            observer.observe(case.setup().evaluate(0))


class TestParametersOutsideTheModel:
    """A criterion with weights of its own, as in uncertainty weighting."""

    log_sigma = nn.Parameter(torch.zeros(()))

    def test_a_component_that_trains_nothing_else_is_told_from_one_that_is_cut_off(self):
        facts = measure(
            lambda out: {
                "weighted": torch.exp(-self.log_sigma) * out.square().mean(),
                "own": 2 * self.log_sigma,
                "bare": self.log_sigma,
                "cut": out.detach().mean(),
            }
        )
        assert facts.attached == (True, False, False, False)
        assert facts.trains_elsewhere == ("own", "bare")

    def test_parameters_of_another_objective_are_inside(self):
        """The discriminator's loss in the generator's objective: not what that trains, and a fault."""
        case = CASES["gan"]

        def step(model, batch):
            objectives, output = case.step(model, batch)
            return {
                **objectives,
                "generator": {**objectives["generator"], "wrong": model.discriminator(batch[1]).mean()},
            }, output

        swapped = dataclasses.replace(case, step=step)
        facts = next(facts for facts in measure_gradients(swapped.setup()) if facts.name == "generator")
        assert facts.attached[facts.components.index("wrong")] is False
        assert facts.trains_elsewhere == ()

    def test_an_input_is_no_parameter(self):
        x = torch.randn(4, requires_grad=True)
        assert measure(lambda out: {"a": out.mean(), "b": x.square().mean()}).trains_elsewhere == ()


class TestAdditivity:
    def test_parts_add_up_to_the_whole(self):
        for name in ("shared trunk with heads", "dropout", "custom autograd function"):
            (facts,) = measure_gradients(CASES[name].setup())
            assert facts.additivity_error < 1e-5

    def test_a_backward_that_is_not_linear_shows(self):
        model = nn.Linear(5, 5, bias=False)
        model.weight.register_hook(lambda gradient: gradient.clamp(-0.01, 0.01))
        facts = measure(lambda out: {"a": out.square().sum(), "b": out.abs().sum()}, model)
        assert facts.additivity_error > 0.1

    def test_can_be_left_out(self):
        (facts,) = measure_gradients(CASES["dropout"].setup(), check_additivity=False)
        assert facts.additivity_error is None


class TestFailure:
    def test_reentrant_checkpointing_is_explained(self):
        trunk = nn.Linear(5, 5)

        class Reentrant(nn.Module):
            def __init__(self):
                super().__init__()
                self.trunk = trunk

            def forward(self, x):
                return torch.utils.checkpoint.checkpoint(self.trunk, x.requires_grad_(), use_reentrant=True)

        with pytest.raises(LossDoctorError, match="use_reentrant=False"):
            measure(lambda out: {"a": out.sum()}, Reentrant())

    def test_a_backward_of_the_users_own_that_raises(self):
        class Broken(torch.autograd.Function):
            @staticmethod
            def forward(ctx, x):
                return x.clone()

            @staticmethod
            def backward(ctx, gradient):
                raise RuntimeError("no way back")

        with pytest.raises(LossDoctorError, match=rf"differentiating a: RuntimeError at {__file__}:\d+: no way back"):
            measure(lambda out: {"a": Broken.apply(out).sum()})


def test_a_step_is_evaluated_once_per_batch():
    calls = []

    def step(model, batch):
        calls.append(batch)
        return both_heads(model, batch)

    measure_gradients(Case(Heads, step, vectors(3)).setup())
    assert len(calls) == 3


def test_user_code_may_change_a_batch_in_place():
    def step(model, batch):
        batch[0].mul_(2)
        out = model(batch[0])
        return {"a": F.mse_loss(out, batch[1]), "b": out.mean()}, out

    setup = Case(lambda: nn.Linear(5, 5), step, vectors(1)).setup()
    assert measure_gradients(setup)[0].values == measure_gradients(setup)[0].values


class TestAgreement:
    """The mean cosine between the gradients of any two batches, against plain backwards."""

    @staticmethod
    def measured(batches, loss):
        torch.manual_seed(0)
        model = nn.Linear(3, 2)
        run = lambda model, batch: Losses({"total": {"a": loss(model(batch)), "b": model(batch).mean()}})  # noqa: E731
        (facts,) = measure_gradients(Setup(model, batches, run), check_additivity=False)
        return model, facts.agreement

    def test_is_the_mean_over_pairs(self):
        batches = [torch.randn(4, 3) for _ in range(3)]
        model, (found, _) = self.measured(batches, lambda y: y.square().mean())
        rows = []
        for batch in batches:
            model.zero_grad()
            model(batch).square().mean().backward()
            rows.append(torch.cat([p.grad.flatten() for p in model.parameters()]).double())
        pairs = [F.cosine_similarity(rows[i], rows[j], dim=0) for i, j in ((0, 1), (0, 2), (1, 2))]
        assert found == pytest.approx(float(sum(pairs) / 3), abs=1e-6)

    def test_no_direction_no_agreement(self):
        _, (zero, other) = self.measured([torch.randn(4, 3)] * 2, lambda y: 0 * y.sum())
        assert zero is None
        assert other == pytest.approx(1.0)
        assert self.measured([torch.randn(4, 3)], lambda y: y.sum())[1] == (None, None)
