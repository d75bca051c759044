"""Right and wrong answers, against losses whose values there are known."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from lossdoctor.instruments.probes.directions import probe_directions
from lossdoctor.instruments.probes.perfect import DOUBT, answers
from lossdoctor.instruments.probes.replay import NotApplicableError, Replay
from lossdoctor.setup.build import Setup
from lossdoctor.setup.loss import Losses


def replay(loss, target, model=None, batches=1, weights=None):
    torch.manual_seed(0)
    data = [(torch.randn(6, 5), target) for _ in range(batches)]

    def run(model, batch):
        output = model(batch[0])
        return Losses({"total": loss(output, batch[1])}, output)

    return Replay(Setup(model or nn.Linear(5, 3), data, run, weights=weights or {}))


Y = torch.arange(18.0).reshape(6, 3) / 9


def test_a_distance_is_zero_at_the_target_and_known_at_the_others():
    (found,) = probe_directions(replay(lambda p, t: {"mse": F.mse_loss(p, t)}, Y))
    assert found.way[0][-1] == 0
    assert found.shuffled[0] == pytest.approx([(Y.roll(1, 0) - Y).square().mean().item()])


def test_a_score_is_followed_in_every_batch():
    facts = probe_directions(replay(lambda p, t: {"score": -F.mse_loss(p, t), "size": p.square().mean()}, Y, batches=2))
    score = next(fact for fact in facts if fact.component == "score")
    assert len(score.way) == len(score.shuffled) == 2
    start = score.way[0][0]
    # The error shrinks in proportion to what is left of the way, its square with the square of that.
    assert score.way[0] == pytest.approx([start * left**2 for left in (1, 0.75, 0.5, 0.25, 0)], rel=1e-5, abs=1e-7)


def test_labels_have_no_beyond():
    masks = (Y > 1).float()
    facts = probe_directions(replay(lambda p, t: {"overlap": (p * t).sum(), "size": p.square().mean()}, masks))
    assert len(next(fact for fact in facts if fact.component == "overlap").way[0]) > 2
    assert not any(past for fact in facts for past in fact.beyond)


def test_what_does_not_look_at_the_target_is_the_same_for_all():
    (found,) = probe_directions(replay(lambda p, t: {"size": p.square().mean()}, Y))
    assert found.shuffled[0] == pytest.approx([found.way[0][-1]])


def test_classes():
    labels = torch.tensor([0, 1, 2, 2, 1, 0])
    (found,) = probe_directions(replay(lambda p, t: {"ce": F.cross_entropy(p, t)}, labels))
    assert found.way[0][-1] == pytest.approx(-math.log(1 - DOUBT + DOUBT / 3), rel=1e-3)
    assert min(found.shuffled[0]) > 1


@pytest.mark.parametrize(
    "model", [nn.Sequential(nn.Linear(5, 3), nn.Softmax(1)), nn.Sequential(nn.Linear(5, 3), nn.LogSoftmax(1))]
)
def test_a_classifier_is_answered_in_its_own_terms(model):
    (answer,) = answers(replay(lambda p, t: {"x": p.mean()}, torch.tensor([0, 1, 2, 2, 1, 0]), model))
    probabilities = answer.right if isinstance(model[1], nn.Softmax) else answer.right.exp()
    assert probabilities.sum(1).tolist() == pytest.approx([1.0] * 6)
    assert probabilities.argmax(1).tolist() == [0, 1, 2, 2, 1, 0]


def test_ignored_labels_are_no_classes():
    labels = torch.tensor([0, 1, 2, -100, 1, 0])
    (found,) = probe_directions(replay(lambda p, t: {"ce": F.cross_entropy(p, t)}, labels))
    assert found.way[0][-1] < 0.01


class Pair(nn.Module):
    def __init__(self):
        super().__init__()
        self.image, self.code = nn.Linear(5, 3), nn.Linear(5, 2)

    def forward(self, x):
        return {"image": self.image(x), "code": self.code(x)}


def test_one_tensor_of_several():
    facts = probe_directions(
        replay(lambda p, t: {"fit": F.mse_loss(p["image"], t), "code": p["code"].mean()}, Y, Pair())
    )
    # The code does not look at the image.
    assert {(fact.component, fact.output) for fact in facts} == {("fit", "output.image")}
    assert next(fact for fact in facts if fact.component == "fit").way[0][-1] == 0


def test_rewards_show():
    torch.manual_seed(0)
    batch = torch.randn(6, 5), torch.tensor([0, 1, 2, 2, 1, 0]), -torch.ones(6)

    def run(model, batch):
        output = model(batch[0])
        picked = output.log_softmax(1).gather(1, batch[1][:, None])[:, 0]
        return Losses({"total": {"policy": -(picked * batch[2]).mean()}}, output)

    (found,) = probe_directions(Replay(Setup(nn.Linear(5, 3), [batch], run)))
    assert found.weighed_by == "batch[2]"


@pytest.mark.parametrize("target", [torch.randn(6, 7), "text", None])
def test_nothing_to_compare(target):
    with pytest.raises(NotApplicableError, match="needs an output"):
        probe_directions(replay(lambda p, t: {"size": p.mean()}, target))


def test_a_score_is_followed_past_the_target():
    (found,) = probe_directions(replay(lambda p, t: {"score": -F.mse_loss(p, t)}, Y, batches=2))
    start = found.way[0][0]
    # A quarter, once and three times the way past it, and the square of that.
    assert found.beyond[0] == pytest.approx([start * past**2 for past in (0.25, 1, 3)], rel=1e-5)
    assert len(found.beyond) == 2
    assert found.by_class == ()


def test_a_risk_goes_on_growing():
    """The likelihood of a waiting time, by the logarithm of its rate: the longer the wait, the lower the rate."""
    (found,) = probe_directions(replay(lambda p, t: {"nll": (p.exp() * t - p).mean()}, Y))
    assert list(found.beyond[0]) == sorted(found.beyond[0])
    assert found.beyond[0][0] > found.way[0][-1]


def test_labels_are_an_edge():
    (found,) = probe_directions(replay(lambda p, t: {"score": -F.mse_loss(p, t)}, (Y > 1).float()))
    assert found.beyond == ((),)


def test_every_class_is_asked_alone():
    labels = torch.tensor([0, 1, 2, 2, 1, -100])
    weight = torch.tensor([1.0, 2.0, 4.0])

    def score(p, t):
        return {"score": -F.cross_entropy(p, t, weight=weight, reduction="sum")}

    (found,) = probe_directions(replay(score, labels))
    each = math.log(1 - DOUBT + DOUBT / 3)
    assert found.by_class == pytest.approx([5 * each, 10 * each, 20 * each], rel=1e-3)
    assert found.beyond == ((),)


def test_thresholds_of_a_scale_are_no_classes():
    """Of ordinal regression (Cao et al. 2020): output k says whether the label is above k."""
    labels = torch.tensor([0, 1, 2, 2, 1, 0])

    def coral(p, t):
        return {"coral": F.binary_cross_entropy_with_logits(p, (t[:, None] > torch.arange(3)).float())}

    (found,) = probe_directions(replay(coral, labels))
    assert max(found.by_class) - min(found.by_class) > max(found.shuffled[0]) - found.way[0][-1]
