from collections import namedtuple
from dataclasses import dataclass

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from lossdoctor.instruments.outputs import OutputObserver, activation_of
from lossdoctor.setup.loss import Losses


def observe(*outputs, targets=None):
    observer = OutputObserver()
    for output, target in zip(outputs, targets or [None] * len(outputs), strict=True):
        observer.observe(Losses({}, output), target)
    return {output.name: output for output in observer.facts()}


def batches(*shapes):
    return [torch.randn(shape, generator=torch.Generator().manual_seed(seed)) for seed, shape in enumerate(shapes)]


class TestStatistics:
    def test_ranges_over_all_batches_as_numpy_has_them(self):
        tensors = batches((4, 3, 5), (2, 3, 5))
        output = observe(*tensors)["output"]
        joined = np.concatenate([tensor.double().numpy() for tensor in tensors])
        assert (output.shape, output.dtype) == ((4, 3, 5), "float32")
        assert output.overall.minimum == joined.min()
        assert output.overall.mean == pytest.approx(joined.mean(), abs=1e-6)
        for channel in range(3):
            assert output.channels[channel].maximum == joined[:, channel].max()
            assert output.channels[channel].std == pytest.approx(joined[:, channel].std(), rel=1e-5)

    def test_share_of_zeros(self):
        assert observe(torch.tensor([0.0, 1, 0, 0]), torch.tensor([2.0, 1, 0, 0]))["output"].zeros == (0.75 + 0.5) / 2

    def test_deviation_between_samples(self):
        tensors = batches((6, 2, 4), (3, 2, 4))
        expected = np.mean([tensor.double().numpy().std(0, ddof=1).mean() for tensor in tensors])
        assert observe(*tensors)["output"].between_samples == pytest.approx(expected, rel=1e-5)

    def test_the_same_for_every_sample(self):
        assert observe(torch.rand(1, 3, 4).expand(5, 3, 4))["output"].between_samples == 0

    def test_a_single_sample_has_nothing_to_differ_from(self):
        assert observe(torch.rand(1, 3))["output"].between_samples == 0

    def test_the_target_of_the_same_shape(self):
        outputs, targets = batches((4, 3), (2, 3)), batches((4, 3), (2, 3), (1,))[:2]
        found = observe(*outputs, targets=[targets[0] * 8, targets[1] * 8])["output"].target
        assert found.maximum == max(float(target.max()) * 8 for target in targets)

    @pytest.mark.parametrize("target", [None, "label", torch.ones(4), {"mask": torch.ones(4, 3)}])
    def test_any_other_target_is_none(self, target):
        assert observe(torch.ones(4, 3), targets=[target])["output"].target is None

    def test_elements_that_are_not_finite_are_left_out(self):
        output = observe(torch.tensor([[1.0, torch.nan], [3.0, torch.inf]]))["output"]
        assert (output.overall.minimum, output.overall.maximum) == (1, 3)

    @pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
    def test_floats_of_any_width(self, dtype):
        output = observe(torch.tensor([[0.5], [1.5]], dtype=dtype))["output"]
        assert output.dtype == str(dtype).removeprefix("torch.")
        assert output.overall.mean == 1

    def test_batches_of_other_lengths(self):
        """As sequences have them: there are no channels then, and no crash."""
        output = observe(*batches((4, 7, 5), (4, 9, 5)))["output"]
        assert output.channels == ()
        assert output.overall.maximum == max(float(tensor.max()) for tensor in batches((4, 7, 5), (4, 9, 5)))

    def test_features_are_no_channels(self):
        assert observe(torch.ones(4, 65))["output"].channels == ()

    def test_graphs_are_let_go(self):
        observer = OutputObserver()
        output = torch.ones(4, 3, requires_grad=True) * 2
        observer.observe(Losses({}, output), output)
        (seen,) = observer._seen["output"]
        kept = [value for value in vars(seen).values() if isinstance(value, torch.Tensor)]
        assert len(kept) == 4
        assert not any(tensor.requires_grad for tensor in kept)
        assert max(tensor.numel() for tensor in kept) <= 15


Heads = namedtuple("Heads", "logits box")


@dataclass
class Detection:
    scores: torch.Tensor
    count: int


class TestStructures:
    @pytest.mark.parametrize(
        ("output", "names"),
        [
            (torch.ones(2), {"output"}),
            ((torch.ones(2), torch.ones(2)), {"output[0]", "output[1]"}),
            ([torch.ones(2), [torch.ones(2)]], {"output[0]", "output[1][0]"}),
            ({"logits": torch.ones(2), "aux": {"mask": torch.ones(2)}}, {"output.logits", "output.aux.mask"}),
            (Heads(torch.ones(2), torch.ones(4)), {"output.logits", "output.box"}),
            (Detection(torch.ones(2), 3), {"output.scores"}),
            ((torch.ones(2), None, "text", 3), {"output[0]"}),
            (None, set()),
        ],
    )
    def test_tensors_by_their_path(self, output, names):
        assert observe(output).keys() == names

    @pytest.mark.parametrize(
        "tensor", [torch.tensor([1, 2]), torch.tensor([True]), torch.ones(2, dtype=torch.complex64), torch.empty(0, 3)]
    )
    def test_what_is_no_prediction_is_left_out(self, tensor):
        assert observe(tensor) == {}

    def test_sparse_tensors_are_left_out(self):
        assert observe(torch.eye(3).to_sparse()) == {}

    def test_an_output_that_some_batches_lack(self):
        found = observe({"a": torch.zeros(2)}, {"a": torch.ones(2), "b": torch.ones(3)})
        assert (found["output.a"].overall.maximum, found["output.b"].shape) == (1, (3,))

    def test_scalars(self):
        assert observe({"loss": torch.tensor(2.0)})["output.loss"].overall.mean == 2


@pytest.mark.parametrize(
    ("make", "activation"),
    [
        (torch.sigmoid, "sigmoid"),
        (torch.tanh, "tanh"),
        (F.relu, "relu"),
        (torch.nn.ReLU(inplace=True), "relu"),
        (F.relu6, "hardtanh"),
        (lambda x: x.softmax(1), "softmax"),
        (lambda x: x.log_softmax(1), "log_softmax"),
        (F.logsigmoid, "logsigmoid"),
        (F.softplus, "softplus"),
        (F.leaky_relu, "leaky_relu"),
        (F.elu, "elu"),
        (F.gelu, "gelu"),
        (F.silu, "silu"),
        (F.hardsigmoid, "hardsigmoid"),
        (lambda x: x.clamp(0, 1), "clamp"),
        (lambda x: x.clamp(min=0), "clamp"),
        (lambda x: x.clamp(max=1), "clamp"),
        (lambda x: x.sigmoid().permute(0, 2, 1).reshape(2, -1)[:, 3:].unsqueeze(1), "sigmoid"),
        (lambda x: x.sigmoid().chunk(2, 1)[0].half().expand(2, 2, 6), "sigmoid"),
        (lambda x: x.tanh()[:, [0, 2]].transpose(1, 2).contiguous().clone(), "tanh"),
        (lambda x: x.sigmoid() * 2, None),
        (lambda x: torch.cat([x.sigmoid(), x.tanh()]), None),
        (lambda x: x * 1, None),
        (lambda x: x.detach().sigmoid(), None),
    ],
)
def test_the_activation_that_made_an_output(make, activation):
    x = torch.randn(2, 4, 6, requires_grad=True) * 1
    assert activation_of(make(x)) == activation
