import gc
import inspect
import warnings
import weakref
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.overrides import _get_current_function_mode_stack

from lossdoctor.instruments import statistics
from lossdoctor.instruments.operands import OperandObserver
from lossdoctor.instruments.trace import LossTrace
from lossdoctor.setup.loss import Losses, as_objectives

HERE = str(Path(__file__))


class Scale(nn.Module):
    """The smallest model that trains: one factor."""

    def __init__(self):
        super().__init__()
        self.factor = nn.Parameter(torch.tensor(0.5))

    def forward(self, x):
        return x * self.factor


def data(*shape, seed=0, low=-1.0, high=2.0):
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed)) * (high - low) + low


def trace(step, batches=None, model=None):
    """Return the operations of a step that returns components, over some batches of (x, y)."""
    model = model or Scale()
    batches = batches if batches is not None else [(data(4, 3, 5, 5), data(4, 3, 5, 5, seed=1))]
    observer = OperandObserver()
    for batch in batches:
        with LossTrace(model) as traced:
            losses = Losses(as_objectives(step(model, batch), "step"))
        observer.observe(traced, losses)
    return observer.facts()


def trace_one(compare, *batches, model=None):
    """Return the only operation of a loss (prediction, target) -> scalar, conversions of colours aside."""
    operations = trace(lambda model, batch: {"loss": compare(model(batch[0]), batch[1])}, batches or None, model)
    (operation,) = [operation for operation in operations if operation.name != "color conversion"]
    return operation


def line_of(function, text):
    """Return the line of a function's source that holds a text."""
    lines, start = inspect.getsourcelines(function)
    (found,) = [number for number, line in enumerate(lines, start) if text in line]
    return found


def close(statistics, values):
    values = np.asarray(values, dtype=np.float64)
    expected = values.min(), values.max(), values.mean(), values.std()
    found = statistics.minimum, statistics.maximum, statistics.mean, statistics.std
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
    return True


def nested(rows):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that nested tensors are a prototype
        return torch.nested.as_nested_tensor([rows[:1], rows[1:]])


class TestDistribution:
    BATCHES = tuple((data(n, 3, 4, 6, seed=n), data(n, 3, 4, 6, seed=n + 9, low=0, high=255)) for n in (4, 2, 5))

    @pytest.fixture
    def operation(self):
        return trace_one(F.mse_loss, *self.BATCHES)

    def test_every_channel_over_all_batches_as_numpy_has_it(self, operation):
        prediction, target = operation.operands
        x = np.concatenate([x.numpy() * np.float32(0.5) for x, _ in self.BATCHES])
        y = np.concatenate([y.numpy() for _, y in self.BATCHES])
        assert close(prediction.overall, x)
        assert close(target.overall, y)
        for channel in range(3):
            assert close(prediction.channels[channel], x[:, channel])
            assert close(target.channels[channel], y[:, channel])

    def test_row_sums_over_the_channels(self, operation):
        sums = np.concatenate([y.numpy().sum(1).ravel() for _, y in self.BATCHES])
        np.testing.assert_allclose(operation.operands[1].row_sum, (sums.min(), sums.max()), rtol=1e-5)

    def test_softmax_rows_sum_to_one(self):
        operation = trace_one(lambda p, t: F.mse_loss(p.softmax(1), t))
        np.testing.assert_allclose(operation.operands[0].row_sum, (1, 1), rtol=1e-5)

    def test_what_is_said_of_each_side(self, operation):
        prediction, target = operation.operands
        assert (prediction.name, target.name) == ("input", "target")
        assert (prediction.requires_grad, target.requires_grad) == (True, False)
        assert prediction.shape == target.shape == (4, 3, 4, 6)
        assert prediction.dtype == target.dtype == "float32"
        assert operation.result_shape == ()

    @pytest.mark.parametrize(
        ("values", "integral"), [([0.0, 1.0, 255.0], True), ([0.0, 0.5], False), ([3, 4], True), ([True, False], True)]
    )
    def test_whole_numbers(self, values, integral):
        target = torch.tensor(values)
        operation = trace_one(F.mse_loss, (torch.ones(len(values)), target.float()))
        assert operation.operands[1].integral is integral

    def test_elements_that_are_not_finite_are_left_out(self):
        target = torch.tensor([[1.0, torch.nan], [3.0, torch.inf], [2.0, 7.0]])
        operation = trace_one(F.mse_loss, (torch.ones(3, 2), target))
        assert close(operation.operands[1].channels[0], [1, 3, 2])
        assert close(operation.operands[1].channels[1], [7])

    @pytest.mark.parametrize("shape", [(), (7,), (6, 4), (5, 3, 8), (2, 3, 4, 5), (2, 3, 4, 5, 6)])
    def test_any_number_of_dimensions(self, shape):
        x, y = data(*shape), data(*shape, seed=1)
        operation = trace_one(F.l1_loss, (x, y))
        assert operation.operands[1].shape == shape
        assert close(operation.operands[1].overall, y)
        assert len(operation.operands[1].channels) == (shape[1] if len(shape) > 1 else 0)

    def test_features_are_no_channels(self):
        operation = trace_one(F.mse_loss, (data(4, 65), data(4, 65, seed=1)))
        assert operation.operands[1].channels == ()
        assert operation.operands[1].row_sum is None
        assert close(operation.operands[1].overall, data(4, 65, seed=1))

    def test_batches_of_other_shapes_keep_what_they_have_in_common(self):
        batches = [(data(2, n, 3), data(2, n, 3, seed=n)) for n in (4, 7)]
        operation = trace_one(F.mse_loss, *batches)
        assert operation.operands[1].channels == ()
        assert close(operation.operands[1].overall, np.concatenate([y.numpy().ravel() for _, y in batches]))

    def test_gradient_in_some_batches_only(self):
        def step(model, batch):
            x, y = batch
            prediction = model(x) if x.sum() > 0 else model(x).detach()
            return {"loss": F.mse_loss(prediction, y), "size": model.factor.square()}

        operations = trace(step, [(-torch.ones(2, 3), torch.ones(2, 3)), (torch.ones(2, 3), torch.ones(2, 3))])
        (comparison,) = [operation for operation in operations if operation.name == "mse_loss"]
        assert comparison.operands[0].requires_grad

    def test_an_operand_that_is_a_tensor_in_some_batches_only(self):
        def step(model, batch):
            x, y = batch
            variance = torch.ones(4, 3) if x.sum() > 0 else 1.0
            return {"loss": F.gaussian_nll_loss(model(x), y, variance)}

        batches = [(torch.ones(4, 3), torch.ones(4, 3)), (-torch.ones(4, 3), torch.ones(4, 3))]
        (operation,) = trace(step, batches)
        assert [operand.name for operand in operation.operands] == ["input", "target", "var"]

    @pytest.mark.parametrize(
        "compare",
        [
            lambda p, t: torch.sparse.sum((p.to_sparse() - t.to_sparse()).abs()),
            lambda p, t: sum(part.abs().sum() for part in (nested(p) - nested(t)).unbind()),
        ],
        ids=["sparse", "nested"],
    )
    def test_what_has_no_plain_elements(self, compare):
        operations = trace(lambda m, b: {"loss": compare(m(b[0]), b[1])}, [(data(4, 3), data(4, 3, seed=1))])
        assert operations
        assert all(operation.operands == () for operation in operations)

    @pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16])
    def test_floats_of_any_width(self, dtype):
        x, y = data(4, 3).to(dtype), data(4, 3, seed=1).to(dtype)
        operation = trace_one(F.l1_loss, (x, y), model=Scale().to(dtype))
        assert operation.operands[1].dtype == str(dtype).removeprefix("torch.")
        assert close(operation.operands[1].overall, y.double())

    def test_class_indices(self):
        target = torch.tensor([0, 2, 1, 2])
        operation = trace_one(F.cross_entropy, (data(4, 3), target))
        assert operation.operands[1].dtype == "int64"
        assert operation.operands[1].integral
        assert close(operation.operands[1].overall, [0, 2, 1, 2])

    def test_complex_numbers_by_their_magnitude(self):
        x, y = torch.fft.rfft(data(2, 16)), torch.fft.rfft(data(2, 16, seed=1))
        operation = trace_one(lambda p, t: (p - t).abs().mean(), (x, y))
        assert operation.operands[1].dtype == "complex64"
        assert close(operation.operands[1].overall, np.abs(y.numpy()))

    def test_nothing_at_all(self):
        operation = trace_one(lambda p, t: F.mse_loss(p, t, reduction="sum"), (torch.ones(0, 3), torch.ones(0, 3)))
        assert operation.operands[1].shape == (0, 3)
        assert np.isnan(operation.operands[1].overall.mean)

    def test_huge_tensors_are_thinned(self, monkeypatch):
        monkeypatch.setattr(statistics, "SAMPLE_ELEMENTS_PER_CHANNEL", 1024)
        seen = []
        original = statistics.thinned
        monkeypatch.setattr(statistics, "thinned", lambda t: seen.append(original(t)) or seen[-1])
        target = data(1, 3, 256, 256, low=0, high=1)
        operation = trace_one(F.mse_loss, (target, target))
        assert operation.operands[1].shape == (1, 3, 256, 256)
        assert max(sample.numel() for sample in seen) <= 3 * 1024
        for channel, known in enumerate(operation.operands[1].channels):
            assert known.mean == pytest.approx(float(target[:, channel].mean()), abs=0.05)
            assert known.maximum == pytest.approx(1, abs=0.01)


def with_a_log_line(errors):
    assert errors.detach().max() >= 0
    return errors


class TestArguments:
    @pytest.mark.parametrize(
        "loss",
        [
            lambda p, t: F.mse_loss(p, t, None, None, "sum"),
            lambda p, t: F.mse_loss(p, t, reduction="sum"),
            lambda p, t: F.mse_loss(input=p, target=t, reduction="sum"),
            lambda p, t: F.mse_loss(target=t, input=p, reduction="sum"),
            lambda p, t: nn.MSELoss(reduction="sum")(p, t),
            lambda p, t: F.mse_loss(p, t, reduction="none").sum(),
            lambda p, t: F.mse_loss(p, t, reduction="none").sum((1, 2, 3)).mean(),
        ],
    )
    def test_sum_however_it_is_said(self, loss):
        operation = trace_one(loss)
        assert operation.name == "mse_loss"
        assert operation.arguments["reduction"] == "sum"
        assert [operand.requires_grad for operand in operation.operands] == [True, False]

    @pytest.mark.filterwarnings("ignore:size_average and reduce args will be deprecated")
    def test_the_old_way_to_say_sum(self):
        operation = trace_one(lambda p, t: F.mse_loss(p, t, size_average=False))
        assert operation.arguments["reduction"] == "sum"

    @pytest.mark.parametrize(
        ("loss", "reduction"),
        [
            (lambda p, t: F.l1_loss(p, t), "mean"),
            (lambda p, t: F.l1_loss(p, t, reduction="none").mean(), "mean"),
            (lambda p, t: (p - t).abs().mean(), "mean"),
            (lambda p, t: (2 * (p - t).abs()).flatten(1).sum(1).mean(), "sum"),
            (lambda p, t: 0.5 * ((p - t) ** 2).sum(), "sum"),
            (lambda p, t: ((p - t) ** 2).mean(dim=(1, 2, 3)).mean(), "mean"),
            (lambda p, t: (1 - F.cosine_similarity(p, t)).mean(), "mean"),
            (lambda p, t: with_a_log_line(F.l1_loss(p, t, reduction="none")).mean(), "mean"),
            (lambda p, t: (F.l1_loss(p, t, reduction="none") * (t > 0)).mean(), "weighted"),
            (lambda p, t: ((p - t).pow(2) * (t > 0)).sum() / 7, "weighted"),
            (lambda p, t: (F.l1_loss(p, t, reduction="none") * (t > 0)).clamp(max=1).mean(), "none"),
            (lambda p, t: ((p - t) * (t > 0)).abs().mean(), "none"),
            (lambda p, t: ((p - t)[:, :1]).abs().mean(), "none"),
            (lambda p, t: (p - t).abs()[t > 0].mean(), "none"),
            (lambda p, t: (F.mse_loss(p, t, reduction="none") + 1e-6).sqrt().mean(), "none"),
        ],
    )
    def test_what_became_of_the_elements(self, loss, reduction):
        """A weighted, masked or bent element no longer counts like its neighbour."""
        assert trace_one(loss).arguments["reduction"] == reduction

    def test_other_plain_arguments(self):
        operation = trace_one(lambda p, t: F.smooth_l1_loss(p, t, beta=0.25))
        assert operation.arguments == {"reduction": "mean", "beta": 0.25}

    def test_tensors_are_no_arguments(self):
        weight = torch.ones(3)
        operation = trace_one(
            lambda p, t: F.cross_entropy(p, t, weight=weight, label_smoothing=0.1), (data(4, 3), torch.ones(4).long())
        )
        assert operation.arguments == {"reduction": "mean", "ignore_index": -100, "label_smoothing": 0.1}
        assert len(operation.operands) == 2


def hand_written():
    squared = {
        "(a-b)**2": lambda a, b: ((a - b) ** 2).mean(),
        "pow": lambda a, b: (a - b).pow(2).mean(),
        "torch.pow": lambda a, b: torch.pow(a - b, 2).mean(),
        "exponent=": lambda a, b: torch.pow(a - b, exponent=2.0).mean(),
        "times itself": lambda a, b: (a - b).mul(a - b).mean(),
        "(a-b)*(a-b)": lambda a, b: ((a - b) * (a - b)).mean(),
        "d*d": lambda a, b: (lambda d: d * d)(a - b).mean(),
        "square": lambda a, b: torch.square(a - b).mean(),
        "torch.sub": lambda a, b: torch.sub(a, b).square().mean(),
        "mean first": lambda a, b: ((a - b) / 4).reshape(len(a), -1).pow(2).sum(1).mean(),
        "masked": lambda a, b: (((a - b) * (b > 0)) ** 2).mean(),
    }
    absolute = {
        "abs()": lambda a, b: abs(a - b).mean(),
        ".abs()": lambda a, b: (a - b).abs().mean(),
        "torch.abs": lambda a, b: torch.abs(torch.subtract(a, b)).mean(),
        "scaled": lambda a, b: (10 * (a - b)).abs().mean(),
    }
    norms = {
        "torch.norm": lambda a, b: torch.norm(a - b),
        "norm": lambda a, b: (a - b).norm(dim=1).mean(),
        "linalg": lambda a, b: torch.linalg.norm(a - b),
        "vector_norm": lambda a, b: torch.linalg.vector_norm(a - b, dim=1).sum(),
    }
    for kind, forms in (
        ("squared difference", squared),
        ("absolute difference", absolute),
        ("norm of a difference", norms),
    ):
        for name, form in forms.items():
            yield pytest.param(form, kind, id=name)


class TestHandWritten:
    @pytest.mark.parametrize(("loss", "kind"), list(hand_written()))
    def test_a_difference_that_is_squared_or_taken_the_magnitude_of(self, loss, kind):
        operation = trace_one(loss)
        assert operation.name == kind
        assert [operand.name for operand in operation.operands] == ["input", "other"]
        assert [operand.requires_grad for operand in operation.operands] == [True, False]
        assert close(operation.operands[1].overall, data(4, 3, 5, 5, seed=1))
        assert len(operation.operands[1].channels) == 3

    def test_the_other_way_round(self):
        operation = trace_one(lambda a, b: (b - a).abs().mean())
        assert [operand.requires_grad for operand in operation.operands] == [False, True]

    def test_whole_numbers_on_the_left(self):
        operation = trace_one(lambda a, b: (b - a).abs().mean(), (data(4, 3), torch.ones(4, 3, dtype=torch.long)))
        assert operation.operands[0].dtype == "int64"

    @pytest.mark.parametrize(
        "loss",
        [
            lambda a, b: (a - b).mean(),
            lambda a, b: ((a - b) * 2).mean(),
            lambda a, b: ((a - b) ** 3).mean(),
            lambda a, b: ((a - b) * (a + b)).mean(),
            lambda a, b: ((a - b) * (a - b.flip(0))).mean(),
            lambda a, b: ((1 - a) ** 2).mean(),
            lambda a, b: (a**2).mean() - (b**2).mean(),
            lambda a, b: F.relu(a - b).mean(),
        ],
    )
    def test_what_is_no_distance(self, loss):
        assert trace(lambda model, batch: {"loss": loss(model(batch[0]), batch[1])}) == ()

    def test_broadcast_operands_keep_their_shapes(self):
        operation = trace_one(lambda a, b: ((a - b) ** 2).mean(), (data(4, 1), data(4)))
        assert [operand.shape for operand in operation.operands] == [(4, 1), (4,)]
        assert operation.result_shape == (4, 4)

    def test_thousands_of_differences_cost_no_look_at_them(self, monkeypatch):
        looked = []
        original = statistics.moments
        monkeypatch.setattr(statistics, "moments", lambda tensor: looked.append(tensor) or original(tensor))

        def rolled_out(prediction, target):
            state = prediction
            for _ in range(50):
                state = state - 0.1 * (state - target)
            return (state - target).pow(2).mean()

        trace_one(rolled_out)
        assert len(looked) == 2


class TestSums:
    """A sum that is widened by its shapes is a comparison too: a residual u + f."""

    def test_of_different_shapes(self):
        operation = trace_one(lambda p, t: (p[:, :1] + t[:, 0]).pow(2).mean())
        assert operation.name == "squared difference"
        assert [len(side.shape) for side in operation.operands] == [4, 3]

    def test_of_one_shape(self):
        assert trace(lambda model, batch: {"loss": (model(batch[0]) + batch[1]).pow(2).mean()}, None, None) == ()


class TestAttribution:
    def test_each_component_has_its_own(self):
        operations = trace(lambda m, b: {"mse": F.mse_loss(m(b[0]), b[1]), "l1": F.l1_loss(m(b[0]), b[1])})
        assert {operation.name: operation.components for operation in operations} == {
            "mse_loss": ("total.mse",),
            "l1_loss": ("total.l1",),
        }

    def test_nested_objectives(self):
        def step(model, batch):
            x, y = batch
            return {
                "generator": {"adversarial": F.mse_loss(model(x), y)},
                "critic": {"real": F.l1_loss(model(y), y), "fake": F.l1_loss(model(x).detach() * model.factor, y)},
            }

        found = [(operation.name, operation.components) for operation in trace(step) if not operation.cuts_gradient]
        assert found == [
            ("mse_loss", ("generator.adversarial",)),
            ("l1_loss", ("critic.real",)),
            ("l1_loss", ("critic.fake",)),
        ]

    def test_a_shared_expression_belongs_to_both(self):
        def step(model, batch):
            error = F.l1_loss(model(batch[0]), batch[1], reduction="none")
            return {"inside": (error * (batch[1] > 0)).mean(), "outside": (error * (batch[1] <= 0)).mean()}

        (operation,) = trace(step)
        assert operation.components == ("total.inside", "total.outside")

    def test_what_no_component_uses_is_left_out(self):
        def step(model, batch):
            with torch.no_grad():
                F.l1_loss(model(batch[0]), batch[1])  # a metric
            return {"loss": F.mse_loss(model(batch[0]), batch[1])}

        assert [operation.name for operation in trace(step)] == ["mse_loss"]

    def test_what_the_model_has_no_part_in_is_left_out(self):
        def step(model, batch):
            contrast = (batch[1] - batch[1].mean()).pow(2).mean()
            return {"loss": F.mse_loss(model(batch[0]), batch[1]) / contrast}

        assert [operation.name for operation in trace(step)] == ["mse_loss"]

    def test_a_custom_function_in_between(self):
        class Doubled(torch.autograd.Function):
            @staticmethod
            def forward(ctx, value):
                return value * 2

            @staticmethod
            def backward(ctx, gradient):
                return gradient * 2

        operation = trace_one(lambda p, t: Doubled.apply(F.mse_loss(p, t)))
        assert operation.name == "mse_loss"
        assert operation.components == ("total.loss",)

    def test_a_custom_function_before(self):
        class Rounded(torch.autograd.Function):
            @staticmethod
            def forward(ctx, value):
                return value.round()

            @staticmethod
            def backward(ctx, gradient):
                return gradient

        operation = trace_one(lambda p, t: F.mse_loss(Rounded.apply(p), t))
        assert operation.operands[0].requires_grad
        assert not operation.cuts_gradient

    def test_written_into_a_tensor(self):
        def step(model, batch):
            losses = torch.zeros(2)
            losses[0] = F.mse_loss(model(batch[0]), batch[1])
            losses[1] = F.l1_loss(model(batch[0]), batch[1]).detach()
            return {"attached": losses[0], "sum": losses.sum()}

        components = {op.name: op.components for op in trace(step) if not op.cuts_gradient}
        assert components["mse_loss"] == ("total.attached", "total.sum")

    def test_copied_into_a_view(self):
        def step(model, batch):
            losses = torch.zeros(2)
            losses[:1].copy_(F.mse_loss(model(batch[0]), batch[1]))
            return {"sum": losses.sum()}

        (operation,) = trace(step)
        assert operation.name == "mse_loss"

    def test_a_component_without_gradient(self):
        operations = trace(lambda m, b: {"loss": F.mse_loss(m(b[0]).detach(), b[1])})
        (comparison,) = [operation for operation in operations if not operation.cuts_gradient]
        assert comparison.components == ("total.loss",)
        assert not any(operand.requires_grad for operand in comparison.operands)

    def test_in_place_operations(self):
        def loss(prediction, target):
            value = prediction.clone()
            value.mul_(2).add_(1)
            return F.mse_loss(value, target).mul_(3)

        operation = trace_one(loss)
        assert close(operation.operands[0].overall, data(4, 3, 5, 5) * 0.5 * 2 + 1)
        assert operation.components == ("total.loss",)

    def test_a_tensor_that_took_the_place_of_another(self):
        model = Scale()
        with LossTrace(model) as traced:
            gone = {id(model(data(2, 3))) for _ in range(10)}
            fresh = [torch.from_numpy(np.ones(3)) for _ in range(100)]
        reused = [tensor for tensor in fresh if id(tensor) in gone]
        assert reused
        assert not any(map(traced.maker, reused))

    def test_functions_that_return_tuples(self):
        operation = trace_one(lambda p, t: F.mse_loss(torch.topk(p.flatten(1), 2).values, t.flatten(1)[:, :2]))
        assert "topk" in operation.operands[0].origin
        assert operation.components == ("total.loss",)

    def test_a_loop_over_scales_is_seen_scale_by_scale(self):
        def step(model, batch):
            x, y = model(batch[0]), batch[1]
            return {"pyramid": sum(F.l1_loss(F.avg_pool2d(x, k), F.avg_pool2d(y, k)) for k in (1, 2))}

        assert [op.operands[0].shape for op in trace(step)] == [(4, 3, 5, 5), (4, 3, 2, 2)]

    def test_gradients_inside_the_loss(self):
        def step(model, batch):
            x = batch[0].flatten()[:, None].requires_grad_()
            u = (model(x) ** 2).sum()
            (slope,) = torch.autograd.grad(u, x, create_graph=True)
            return {"residual": ((slope - x) ** 2).mean()}

        (operation,) = trace(step)
        assert operation.components == ("total.residual",)
        assert operation.operands[0].requires_grad


class Normalizing(Scale):
    """Takes squares of differences of its own."""

    def forward(self, x):
        y = super().forward(x)
        centred = y - y.mean(1, keepdim=True)
        return centred / (centred.pow(2).mean(1, keepdim=True) + 1e-5).sqrt()


class TestModels:
    def test_differences_inside_a_model_are_its_own(self):
        assert trace_one(F.mse_loss, model=Normalizing()).name == "mse_loss"

    @pytest.mark.parametrize("compare", [F.mse_loss, lambda a, b: ((a - b) ** 2).mean()])
    def test_a_loss_computed_by_the_model(self, compare):
        class Training(Scale):
            def forward(self, x, y):
                return {"loss": compare(super().forward(x), y)}

        (operation,) = trace(lambda model, batch: {"loss": 0.5 * model(*batch)["loss"]}, model=Training())
        assert operation.components == ("total.loss",)
        assert close(operation.operands[1].overall, data(4, 3, 5, 5, seed=1))

    def test_a_criterion_kept_inside_the_model(self):
        class Criterion(nn.Module):
            def forward(self, prediction, target):
                return (prediction - target).abs().mean()

        class Module(Normalizing):
            def __init__(self):
                super().__init__()
                self.criterion = Criterion()

        (operation,) = trace(lambda m, b: {"loss": 2 * m.criterion(m(b[0]), b[1])}, model=Module())
        assert operation.name == "absolute difference"

    def test_a_scripted_model(self):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model = torch.jit.script(Scale())
        operation = trace_one(F.mse_loss, model=model)
        assert operation.operands[0].requires_grad

    def test_torch_func_transforms_do_not_break_it(self):
        def step(model, batch):
            x, y = batch[0].flatten(), batch[1].flatten()

            def potential(point, goal):
                return ((model.factor * point - goal) ** 2).sum()

            force = torch.vmap(torch.func.grad(potential))(x, y)
            return {"loss": F.mse_loss(force, y)}

        names = [operation.name for operation in trace(step)]
        assert "mse_loss" in names


BLACK = torch.zeros(4, 2, 5, 5)


class TestOrigin:
    def test_operations_nearest_first(self):
        operation = trace_one(lambda p, t: F.mse_loss(p.tanh().clamp(0, 1).permute(0, 2, 3, 1), t.permute(0, 2, 3, 1)))
        origin = [name for name in operation.operands[0].origin if not name.endswith("()")]
        assert origin[:2] == ["clamp", "tanh"]

    @pytest.mark.parametrize(
        ("join", "nearest"),
        [
            (lambda p: torch.stack([p[0].sigmoid(), p[1].sigmoid()]), "sigmoid"),
            (lambda p: torch.cat([p.sigmoid()[:, :1], p.tanh()[:, 1:]], 1), "cat"),
            (lambda p: torch.cat([p.sigmoid()[:, :1], BLACK], 1), "cat"),
            (lambda p: torch.cat([p.sigmoid(), torch.cat([p.tanh(), p.exp()])])[:4], "cat"),
        ],
    )
    def test_side_by_side(self, join, nearest):
        """What is put together from different operations came out of none of them."""
        operation = trace_one(lambda p, t: F.mse_loss(join(p), t[: len(join(p))]))
        assert next(name for name in operation.operands[0].origin if not name.endswith("()")) == nearest

    def test_the_function_that_made_it(self):
        def rgb2lab(image):
            return image * 100

        operation = trace_one(lambda p, t: F.mse_loss(rgb2lab(p), rgb2lab(t)))
        assert all("rgb2lab()" in operand.origin for operand in operation.operands)

    def test_inside_a_comprehension(self):
        def rgb2lab(image):
            return [scale * channel for channel, scale in ((image, 100),)][0]  # noqa: RUF015

        operation = trace_one(lambda p, t: F.mse_loss(rgb2lab(p), rgb2lab(t)))
        assert all("rgb2lab()" in operand.origin for operand in operation.operands)

    def test_the_module_that_made_it(self):
        class RgbToLab(nn.Module):
            def forward(self, image):
                return image * 100

        to_lab = RgbToLab()
        operation = trace_one(lambda p, t: (to_lab(p) - to_lab(t)).abs().mean())
        assert all("RgbToLab()" in operand.origin for operand in operation.operands)

    def test_attributes_are_operations_too(self):
        operation = trace_one(lambda p, t: F.mse_loss(p.sigmoid().T, t.T), (data(4, 3), data(4, 3)))
        assert "sigmoid" in operation.operands[0].origin


class Criterion(nn.Module):
    def forward(self, prediction, target):
        return F.mse_loss(prediction, target)  # the line


def make_loss(power):
    def loss(prediction, target):
        difference = prediction - target
        return difference.abs().pow(power).mean()  # the line

    return loss


def one_line(prediction, target):
    return (lambda a, b: F.l1_loss(a, b))(prediction, target)  # the line


class TestLocation:
    @pytest.mark.parametrize(
        ("loss", "source"), [(Criterion(), Criterion), (make_loss(1), make_loss), (one_line, one_line)]
    )
    def test_the_users_own_line(self, loss, source):
        location = trace_one(loss).location
        assert location.file == HERE
        assert location.line == line_of(source, "# the line")

    def test_the_line_that_calls_a_library(self):
        from kornia.losses import charbonnier_loss

        def loss(prediction, target):
            return charbonnier_loss(prediction, target, "mean")  # the line

        location = trace_one(loss).location
        assert (location.file, location.line) == (HERE, line_of(loss, "# the line"))


def through_item(prediction, target):
    return F.mse_loss(prediction, target).item()  # the cut


def through_item_and_arithmetic(prediction, target):
    value = float(F.mse_loss(prediction, target))  # the cut
    return 2 * value + 1


def through_detach(prediction, target):
    return F.mse_loss(prediction.detach(), target.detach())  # the cut


def through_data(prediction, target):
    prediction = prediction.data  # the cut
    return F.mse_loss(prediction, target)


def through_argmax(prediction, target):
    labels = prediction.argmax(1)  # the cut
    return F.l1_loss(labels.float(), target[:, 0])


def through_a_threshold(prediction, target):
    mask = (prediction > 0.5).float()  # the cut
    return F.l1_loss(mask, target)


def through_numpy(prediction, target):
    prediction = prediction.detach()
    array = prediction.cpu().numpy()  # the cut
    return float(np.abs(array - target.numpy()).mean())


def through_numpy_and_back(prediction, target):
    print_me = target.numpy()
    array = prediction.detach().numpy()  # the cut
    return torch.from_numpy(np.abs(array - print_me)).mean()


def through_numpy_with_a_log_line(prediction, target):
    array = prediction.detach().numpy()  # the cut
    back = torch.from_numpy(array).mean()
    assert F.mse_loss(prediction, target).item() > 0
    return back


def through_a_list(prediction, target):
    store = torch.zeros(2)
    store[0] = F.mse_loss(prediction, target).detach()  # the cut
    return store.sum()


def through_item_under_no_grad(prediction, target):
    with torch.no_grad():
        return F.mse_loss(prediction, target).item()  # the cut


def through_no_grad(prediction, target):
    with torch.no_grad():
        return F.mse_loss(prediction, target)  # the cut


def through_no_grad_in_steps(prediction, target):
    with torch.no_grad():
        scaled = 2 * prediction  # the cut
        squared = scaled.square()
    return F.mse_loss(squared, target)


def through_a_model_under_no_grad(prediction, target):
    with torch.no_grad():
        again = Layered.shared(target)  # the cut
    return F.mse_loss(again, target)


class Layered(nn.Sequential):
    """Its own lines are not those to look at where it is called under no_grad."""

    def forward(self, x):
        return torch.tanh(self[1](self[0](x)))


def after_a_straight_through_estimator(prediction, target):
    prediction = prediction + (prediction.round() - prediction).detach()
    return F.mse_loss(prediction, target).item()  # the cut


CUTS = {
    "item": through_item,
    "float": through_item_and_arithmetic,
    "detach": through_detach,
    "data": through_data,
    "argmax": through_argmax,
    "gt": through_a_threshold,
    "numpy": through_numpy,
    "numpy ": through_numpy_and_back,
    "numpy  ": through_numpy_with_a_log_line,
    "detach ": through_a_list,
    "item  ": through_item_under_no_grad,
    "no_grad": through_no_grad,
    "no_grad  ": through_no_grad_in_steps,
    "no_grad ": through_a_model_under_no_grad,
    "item ": after_a_straight_through_estimator,
}


class TestCuts:
    @pytest.mark.filterwarnings("ignore:Converting a tensor with requires_grad")
    @pytest.mark.parametrize(("name", "loss"), CUTS.items())
    def test_where_the_gradient_ends(self, name, loss):
        Layered.shared = Layered(Scale(), Scale())
        operations = trace(lambda model, batch: {"loss": loss(model[0](batch[0]), batch[1])}, model=Layered.shared)
        (cut,) = [operation for operation in operations if operation.cuts_gradient]
        assert cut.name == name.strip()
        assert cut.components == ("total.loss",)
        assert (cut.location.file, cut.location.line) == (HERE, line_of(loss, "# the cut"))

    @pytest.mark.parametrize(
        "loss",
        [
            lambda p, t: F.mse_loss(p, t.detach()),
            lambda p, t: F.mse_loss(p, (p * 0).detach() + t),
            lambda p, t: F.mse_loss(p, t) * float(t.mean()),
            lambda p, t: (F.mse_loss(p, t, reduction="none") * (p > 0)).mean(),
            lambda p, t: F.mse_loss(p + (p.round() - p).detach(), t),
        ],
    )
    def test_what_hides_nothing_is_no_cut(self, loss):
        operations = trace(lambda model, batch: {"loss": loss(model(batch[0]), batch[1])})
        assert not any(operation.cuts_gradient for operation in operations)

    def test_the_tensor_that_is_missed_and_not_its_neighbour(self):
        class Pair(nn.Module):
            def __init__(self):
                super().__init__()
                self.generator, self.critic = Scale(), Scale()

        def step(model, batch):
            real = model.critic(batch[1])
            fake = model.generator(batch[0])
            matched = F.l1_loss(model.critic(fake.detach()), real.detach())  # the cut is fake's
            return {"matching": matched}

        cuts = [operation for operation in trace(step, model=Pair()) if operation.cuts_gradient]
        assert [cut.location.line for cut in cuts] == [line_of(step, "# the cut")]

    def test_two_components_through_numpy_are_not_mixed_up(self):
        def step(model, batch):
            prediction = model(batch[0]).detach()
            first = np.abs(prediction.numpy()).mean()
            second = np.square(prediction.numpy()).mean()
            return {"first": float(first), "second": float(second)}

        assert not any(operation.cuts_gradient for operation in trace(step))

    def test_two_items_are_told_apart_by_their_numbers(self):
        def step(model, batch):
            p, t = model(batch[0]), batch[1]
            first = F.mse_loss(p, t).item()  # first
            second = F.l1_loss(p, t).item()  # second
            return {"first": first, "second": second}

        lines = {op.components: op.location.line for op in trace(step) if op.cuts_gradient}
        assert lines == {("total.first",): line_of(step, "# first"), ("total.second",): line_of(step, "# second")}


class TestIndices:
    def test_of_a_maximum_end_the_gradient_and_its_values_do_not(self):
        (cut,) = [
            operation
            for operation in trace(lambda model, batch: dict(zip("ab", by_maximum(model(batch[0])))), None, None)
            if operation.cuts_gradient
        ]
        assert (cut.name, cut.components) == ("max", ("total.b",))
        assert cut.location.line == line_of(by_maximum, "max(1)")


def by_maximum(output):
    values, indices = output.flatten(1).max(1)
    return values.mean(), indices.float().mean()


class TestLeavesNoTrace:
    def test_graphs_do_not_outlive_their_batch(self):
        graphs, model, observer = [], Scale(), OperandObserver()
        for seed in range(3):
            with LossTrace(model) as traced:
                prediction = model(data(2, 3, seed=seed)).exp()
                error = (prediction - data(2, 3, seed=9)).pow(2)
                losses = Losses({"total": {"loss": error.mean(), "cut": error.detach().mean()}})
            observer.observe(traced, losses)
            mark = prediction.grad_fn.metadata["mark"] = Scale()  # lives as long as its node
            graphs += map(weakref.ref, (prediction, error, mark))
        del traced, prediction, error, losses, mark
        gc.collect()
        assert [graph() for graph in graphs] == [None] * 9
        assert observer.facts()

    def test_an_exception_leaves_no_hook_and_no_mode(self):
        model = nn.Sequential(Scale(), Scale())

        def step(model, batch):
            F.mse_loss(model(batch[0]), batch[1])
            message = "in the middle of the loss"
            raise ZeroDivisionError(message)

        with pytest.raises(ZeroDivisionError):
            trace(step, model=model)
        assert _get_current_function_mode_stack() == []
        assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())

    def test_an_exception_inside_the_model_that_is_caught(self):
        class Fragile(Scale):
            def forward(self, x):
                if x.dim() == 4:
                    message = "flat input only"
                    raise ValueError(message)
                y = super().forward(x)
                return y / (y - y.mean()).pow(2).mean().sqrt()

        def step(model, batch):
            try:
                prediction = model(batch[0])
            except ValueError:
                prediction = model(batch[0].flatten())
            return {"loss": (prediction - batch[1].flatten()).abs().mean()}

        (operation,) = trace(step, model=Fragile())
        assert operation.name == "absolute difference"

    def test_numbers_are_the_same_with_and_without(self):
        model, (x, y) = Scale(), (data(4, 3), data(4, 3, seed=1))

        def gradient():
            loss = F.mse_loss(model(x), y) + (model(x) - y).abs().mean()
            return torch.autograd.grad(loss, model.factor)[0]

        bare = gradient()
        with LossTrace(model):
            assert torch.equal(gradient(), bare)
