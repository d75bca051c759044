from __future__ import annotations

import math

import pytest
import torch

from lossdoctor.instruments.saturation import saturation_of

X = torch.linspace(-12, 12, 4001, dtype=torch.float64).reshape(1, -1)


def flat(activation, x=X):
    return float(saturation_of(activation(x.clone().requires_grad_()), None).flat)


@pytest.mark.parametrize(
    "activation",
    [
        torch.sigmoid,
        torch.tanh,
        lambda x: (torch.tanh(x) + 1) / 2,
        lambda x: 110 * torch.tanh(x).view(-1, 1),
        lambda x: torch.tanh(x).float(),
    ],
    ids=["sigmoid", "tanh", "0 to 1", "scaled and reshaped", "cast"],
)
def test_flat_is_where_autograd_says_so(activation):
    x = X.clone().requires_grad_()
    (slope,) = torch.autograd.grad(activation(x).sum(), x)
    assert flat(activation) == pytest.approx(float((slope <= 0.01 * slope.max()).double().mean()), abs=1e-3)


def test_a_softmax_is_judged_row_by_row():
    """Nine of ten probabilities are near 0 in any sure row, and none of a row that is not sure has a flat slope."""
    logits = torch.zeros(4, 10)
    logits[0, 3] = logits[1, 7] = 20.0
    assert flat(lambda x: x.softmax(1), logits) == 0.5
    assert flat(lambda x: x.softmax(-1), logits) == 0.5
    assert flat(lambda x: x.softmax(1), torch.zeros(2, 1000)) == 0.0


@pytest.mark.parametrize(
    "made",
    [lambda x: x, torch.relu, lambda x: torch.sigmoid(x) * torch.tanh(x), lambda x: torch.sigmoid(x)[:, :7], torch.exp],
    ids=["linear", "relu", "gated", "a part", "exp"],
)
def test_nothing_to_say(made):
    assert saturation_of(made(X.clone().requires_grad_()), None) is None


def test_what_carries_no_gradient_has_no_activation():
    assert saturation_of(torch.sigmoid(X), None) is None


class TestWrong:
    OUTPUT = torch.tensor([[-20.0, 20.0, -20.0, 20.0, 0.0]])

    def wrong(self, activation, batch):
        share = saturation_of(activation(self.OUTPUT.clone().requires_grad_()), batch).wrong
        return None if share is None else float(share)

    def test_counts_saturated_elements_far_from_the_target(self):
        target = torch.tensor([[0.0, 1.0, 1.0, 0.8, 1.0]])
        assert self.wrong(torch.sigmoid, (None, target)) == 0.25

    def test_the_range_is_that_after_scaling(self):
        target = torch.tensor([[-100.0, 100.0, -100.0, -100.0, 0.0]])
        assert self.wrong(lambda x: 110 * torch.tanh(x), {"ab": target}) == 0.25
        assert self.wrong(torch.tanh, {"ab": target / 110}) == 0.25

    @pytest.mark.parametrize("shape", [(5,), (1, 1, 5), (5, 1)])
    def test_dimensions_of_one_do_not_matter(self, shape):
        mask = torch.tensor([0, 1, 0, 1, 1]).reshape(shape).bool()
        assert self.wrong(torch.sigmoid, {"image": torch.rand(3, 4), "mask": mask}) == 0.0

    def test_of_several_candidates_the_closest_counts(self):
        right = torch.tensor([[0.0, 1.0, 0.0, 1.0, 0.0]])
        assert self.wrong(torch.sigmoid, (1 - right, right)) == 0.0

    @pytest.mark.parametrize("batch", [None, "text", torch.rand(7), (torch.rand(2, 5),)])
    def test_no_candidate(self, batch):
        assert self.wrong(torch.sigmoid, batch) is None

    @pytest.mark.parametrize("dim", [1, -1])
    @pytest.mark.parametrize("one_hot", [False, True])
    def test_classes(self, dim, one_hot):
        logits = torch.zeros(6, 4) if dim == -1 else torch.zeros(6, 4, 2)
        logits[:, 1] = 20.0
        labels = torch.tensor([1, 1, 1, 1, 1, 0])
        labels = labels if dim == -1 else labels[:, None].expand(6, 2)
        target = torch.nn.functional.one_hot(labels, 4).movedim(-1, dim) if one_hot else labels
        share = saturation_of(logits.requires_grad_().softmax(dim), (None, target)).wrong
        assert float(share) == pytest.approx(1 / 6)


def test_the_saved_activation_of_a_checkpointed_model_can_be_read():
    from torch.utils.checkpoint import checkpoint

    x = torch.full((4, 4), 20.0, requires_grad=True)
    output = checkpoint(torch.sigmoid, x, use_reentrant=False)
    assert float(saturation_of(output, None).flat) == 1.0
    output.sum().backward()
    assert math.isfinite(x.grad.sum())
