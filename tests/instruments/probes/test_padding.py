"""What is marked as padding, and what a loss makes of it, against closed forms."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from lossdoctor.instruments.probes.marks import marks
from lossdoctor.instruments.probes.padding import probe_padding
from lossdoctor.instruments.probes.replay import NotApplicableError, Replay
from lossdoctor.setup.build import Setup
from lossdoctor.setup.loss import Losses

LENGTHS = torch.tensor([8, 5, 3, 6])
INSIDE = torch.arange(8) < LENGTHS[:, None]
G = torch.Generator().manual_seed(0)
X, Y = torch.randn(4, 8, 2, generator=G), torch.randn(4, 8, 3, generator=G)
LABELS = torch.randint(0, 3, (4, 8), generator=G)


def probed(batch, loss):
    model = nn.Linear(2, 3)

    def run(model, batch):
        output = model(batch["input"])
        return Losses({"total": loss(output, batch)}, output)

    attributes = set(model.__dict__)
    facts = probe_padding(Replay(Setup(model, [batch], run)))
    assert set(model.__dict__) == attributes, "its forward is its own again"
    return {fact.component: fact for fact in facts}


def padded(**more):
    return {"input": X, "target": Y * INSIDE[..., None], **more}


def masked(output, batch):
    inside = torch.arange(output.shape[1]) < LENGTHS[:, None]
    return ((output - batch["target"]) ** 2).mean(-1) * inside


@pytest.mark.parametrize("mark", [{"lengths": LENGTHS}, {"mask": INSIDE}, {"padding": ~INSIDE}])
def test_three_ways_to_say_it(mark):
    facts = probed(
        padded(**mark),
        lambda o, b: {
            "all": F.mse_loss(o, b["target"]),
            "mean": masked(o, b).mean(),
            "right": masked(o, b).sum() / INSIDE.sum(),
            "sum": masked(o, b).sum(),
            "size": o.square().mean(),
        },
    )
    assert set(facts) == {"all", "mean", "right", "sum"}, "the size does not look at the target"
    assert facts["all"].slope > 0.1
    assert facts["all"].share == pytest.approx(1 - INSIDE.float().mean().item())
    mean = facts["mean"]
    assert mean.slope == 0
    assert mean.appended == pytest.approx((mean.value / 2, mean.value / 3))
    for name in ("right", "sum"):
        assert facts[name].appended == pytest.approx((facts[name].value,) * 2)


def test_ignored_labels():
    batch = {"input": X, "labels": LABELS.masked_fill(~INSIDE, -100)}
    cross_entropy = lambda o, b, **how: F.cross_entropy(o.transpose(1, 2), b["labels"], **how)  # noqa: E731
    facts = probed(
        batch,
        lambda o, b: {
            "right": cross_entropy(o, b),
            "mean": cross_entropy(o, b, reduction="none").mean(),
            "as class 0": F.cross_entropy(o.transpose(1, 2), b["labels"].clamp(min=0)),
        },
    )
    assert facts["right"].appended == pytest.approx((facts["right"].value,) * 2)
    assert facts["mean"].appended[0] == pytest.approx(facts["mean"].value / 2)
    assert facts["as class 0"].slope > 0.1


def test_a_background_may_be_learnt():
    batch = {"input": X, "labels": LABELS.masked_fill(~INSIDE, -1)}
    one_hot = lambda y: F.one_hot(y.clamp(min=0), 3) * (y >= 0)[..., None]  # noqa: E731
    assert probed(batch, lambda o, b: {"a": F.binary_cross_entropy_with_logits(o, one_hot(b["labels"]).float())}) == {}


def test_a_mask_over_data_marks_nothing():
    with pytest.raises(NotApplicableError, match="marks what is padded"):
        probed({"input": X, "target": Y, "mask": INSIDE}, lambda o, b: {"a": masked(o, b).mean()})


def test_an_output_without_the_places():
    batch = {"input": X[:, 0], "target": Y * INSIDE[..., None], "lengths": LENGTHS}
    with pytest.raises(NotApplicableError, match="a place for every element"):
        probed(batch, lambda o, b: {"a": o.mean()})


def test_pad_tokens():
    g = torch.Generator().manual_seed(1)
    ids = torch.randint(2, 30, (6, 12), generator=g)
    ids = ids.masked_fill(torch.arange(12) >= torch.tensor([12, 7, 5, 9, 6, 8])[:, None], 0)
    (mark,) = marks([{"ids": ids}])
    assert mark.says == "ids ends in 0"
    # The first of them may be the end of the sentence.
    assert (mark.off[0] == ((ids == 0) & (ids.roll(1, 1) == 0))).all()
    (left,) = marks([{"ids": ids.flip(1)}])
    assert left.says == "ids starts with 0"


@pytest.mark.parametrize(
    "ids",
    [
        torch.randint(0, 20, (16, 10), generator=torch.Generator().manual_seed(2)).sort(1).values,
        torch.randint(0, 3, (16, 10), generator=torch.Generator().manual_seed(3)),
        torch.randint(0, 20, (16, 10), generator=torch.Generator().manual_seed(4)),
        torch.arange(40).reshape(4, 10),
    ],
)
def test_tokens_that_fill_nothing(ids):
    assert marks([{"ids": ids}]) == []


def test_holes():
    depth = 5 + torch.rand(2, 1, 12, 12, generator=torch.Generator().manual_seed(5))
    holes = torch.rand(2, 1, 12, 12, generator=torch.Generator().manual_seed(6)) < 0.2
    (mark,) = marks([{"depth": depth.masked_fill(holes, 0)}])
    assert mark.is_certain
    square = torch.zeros_like(holes)
    square[..., 2:9, 2:9] = True
    (mark,) = marks([{"image": depth.masked_fill(~square, 0)}])
    assert not mark.is_certain, "an object on black"
    assert marks([{"image": (depth - 5).masked_fill(holes, 0)}]) == [], "0 is a value like the others"


def test_one_hot_targets_are_no_masks():
    one_hot = F.one_hot(LABELS, 3).float()
    assert marks([{"input": X, "target": one_hot, "values": Y * one_hot}]) == []
