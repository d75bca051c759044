"""Which quotients are overlaps of a prediction with data: Dice and its relatives, in every way of writing them."""

import pytest
import torch
import torch.nn.functional as F

from .test_operands import data, trace

MASK = (data(4, 3, 5, 5, seed=1) > 0.5).float()
BATCHES = [(data(4, 3, 5, 5), MASK)]


def overlaps(loss):
    """The overlaps in a loss (prediction, mask) -> scalar, where the prediction is a scaled input."""
    operations = trace(lambda model, batch: {"loss": loss(model(batch[0]), batch[1])}, BATCHES)
    return [operation for operation in operations if operation.name == "overlap"]


def dice(p, y):
    return 1 - (2 * (p * y).sum() + 1) / (p.sum() + y.sum() + 1)


def flattened(p, y):
    p, y = p.view(-1), y.view(-1)
    return 1 - 2 * torch.dot(p, y) / (torch.sum(p) + torch.sum(y)).clamp(min=1e-6)


def by_class(p, y):
    overlap = (y * p).sum((0, 2, 3))
    return 1 - (2.0 * overlap / (p.sum((0, 2, 3)) + y.sum((0, 2, 3)) + 1e-5)).mean()


def jaccard(p, y):
    both = torch.sum(p * y, (2, 3))
    return (1 - both / (torch.sum(p + y, (2, 3)) - both)).mean()


def tversky(p, y):
    tp, fp, fn = (p * y).sum(), ((1 - y) * p).sum(), (y * (1 - p)).sum()
    return 1 - (tp + 1) / (tp + 0.3 * fp + 0.7 * fn + 1)


def einsum(p, y):
    return -(2 * torch.einsum("nchw,nchw->nc", p, y) / (p.sum((2, 3)) + y.sum((2, 3)) + 1)).mean()


@pytest.mark.parametrize("loss", [dice, flattened, by_class, jaccard, tversky, einsum])
def test_is_an_overlap(loss):
    first, *_ = overlaps(loss)
    given, mask = first.operands
    assert (given.name, given.requires_grad) == ("input", True)
    assert (mask.name, mask.requires_grad) == ("target", False)
    assert mask.overall.minimum == 0
    assert mask.overall.maximum == 1


def masked_mean(p, y):
    return (p.square() * y).sum() / y.sum()


def correlation(p, y):
    return (p * y).sum() / (p.norm() * y.norm())


def normalised(p, y):
    kept = p * y
    return (kept / kept.sum((2, 3), keepdim=True)).square().mean()


def vnet(p, y):
    """With squares below the fraction, which never vanish."""
    return 1 - 2 * (p * y).sum() / (p.square().sum() + y.square().sum())


def cross_entropy(p, y):
    return F.binary_cross_entropy_with_logits(p, y, weight=1 + y)


@pytest.mark.parametrize("loss", [masked_mean, correlation, normalised, vnet, cross_entropy])
def test_is_none(loss):
    assert overlaps(loss) == []


def activations(loss):
    operations = trace(lambda model, batch: {"loss": loss(model(batch[0]), batch[1])}, BATCHES)
    return [operation.name for operation in operations if operation.name in ("sigmoid", "softmax", "log_softmax")]


@pytest.mark.parametrize(
    ("loss", "second"),
    [
        (lambda p, y: dice(torch.sigmoid(p.softmax(1)), y), "sigmoid"),
        (lambda p, y: dice(F.softmax(torch.sigmoid(p).unsqueeze(0).squeeze(0), 1), y), "softmax"),
        (lambda p, y: (F.softmax(p, 1).log_softmax(1) * y).mean(), "log_softmax"),
    ],
)
def test_an_activation_of_probabilities(loss, second):
    assert second in activations(loss)


@pytest.mark.parametrize(
    "loss",
    [
        lambda p, y: dice(torch.sigmoid(p), y),
        lambda p, y: (p.log_softmax(1).log_softmax(1) * y).mean(),  # idempotent
        lambda p, y: dice(torch.sigmoid(8 * (p.sigmoid() - 0.5)), y),  # a steeper threshold
    ],
)
def test_no_activation_of_probabilities(loss):
    assert activations(loss) == []
