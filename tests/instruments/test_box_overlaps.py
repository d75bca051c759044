"""Which quotients are overlaps of boxes or segments, and how a loss changes with them."""

import pytest
import torch
from torchvision.ops import box_iou, complete_box_iou_loss, generalized_box_iou

from .test_operands import data, trace

WIDTHS = data(6, 2, seed=2).abs() + 0.5
CORNERS = data(6, 2, seed=1)
BATCHES = [(data(6, 4), torch.cat([CORNERS, CORNERS + WIDTHS], 1))]


def box(p):
    return torch.cat([p[:, :2], p[:, :2] + p[:, 2:].abs() + 0.5], 1)


def overlaps(loss):
    """Return the overlaps in a loss (boxes, boxes of the data) -> scalar."""
    operations = trace(lambda model, batch: {"loss": loss(box(model(batch[0])), batch[1])}, BATCHES)
    return [operation for operation in operations if operation.name == "overlap of boxes"]


def by_hand(a, b):
    sides = (torch.minimum(a[:, 2:], b[:, 2:]) - torch.maximum(a[:, :2], b[:, :2])).clamp(min=0)
    shared = sides.prod(1)
    area = lambda t: (t[:, 2:] - t[:, :2]).prod(1)  # noqa: E731
    return shared / (area(a) + area(b) - shared + 1e-7)


def corner_by_corner(a, b):
    x1, y1, x2, y2 = a.unbind(1)
    u1, v1, u2, v2 = b.unbind(1)
    width = torch.relu(torch.min(x2, u2) - torch.max(x1, u1))
    height = torch.relu(torch.min(y2, v2) - torch.max(y1, v1))
    shared = width * height
    return shared / ((x2 - x1) * (y2 - y1) + (u2 - u1) * (v2 - v1) - shared)


def segments(a, b):
    shared = (torch.min(a[:, 2], b[:, 2]) - torch.max(a[:, 0], b[:, 0])).clamp(min=0)
    return shared / (a[:, 2] - a[:, 0] + b[:, 2] - b[:, 0] - shared)


@pytest.mark.parametrize(
    "iou",
    [
        by_hand,
        corner_by_corner,
        segments,
        lambda a, b: box_iou(a, b).diagonal(),
        lambda a, b: torch.diag(generalized_box_iou(a, b)),
        lambda a, b: 1 - complete_box_iou_loss(a, b, reduction="none"),
    ],
)
def test_the_slope_has_the_sign_of_the_loss(iou):
    (score,) = overlaps(lambda a, b: iou(a, b).mean())
    (loss,) = overlaps(lambda a, b: (1 - iou(a, b)).mean())
    assert score.slopes["total.loss"].minimum == pytest.approx(1 / 6, rel=1e-3)
    assert loss.slopes["total.loss"].maximum == pytest.approx(-1 / 6, rel=1e-3)
    assert [operand.requires_grad for operand in score.operands] == [True, False]


@pytest.mark.parametrize(
    "loss",
    [
        lambda a, b: torch.minimum(a, b).sum() / a.sum(),
        lambda a, b: (torch.maximum(a, b) - torch.minimum(a, b)).mean() / 3,
        lambda a, b: (a - b).clamp(min=0).prod(1).sum() / 4,
    ],
)
def test_is_no_overlap(loss):
    assert overlaps(loss) == []


@pytest.mark.parametrize("times", [lambda losses, w: losses * w, lambda losses, w: w * losses])
def test_weights_in_another_shape(times):
    weights = torch.rand(6, 1)
    operations = trace(
        lambda model, batch: {"loss": times((box(model(batch[0])) - batch[1]).square().mean(1), weights).mean()},
        BATCHES,
    )
    (found,) = [operation for operation in operations if operation.name == "weighted losses"]
    assert [operand.shape for operand in found.operands] == [(6,), (6, 1)]
