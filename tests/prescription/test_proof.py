"""The verdict on two arms, from runs made up of plain numbers."""

import math

import pytest

from lossdoctor.prescription.comparison import Outcome
from lossdoctor.prescription.proof import PROGRESS, Voice, judge_pairs
from lossdoctor.trial_records import ArmPair, ArmRun, Curve, Evaluation


def curve(weights, objective="total", roles=(), adversarial=False):
    roles = {name: dict(roles).get(name) for name in weights}
    return Curve(objective, (0,), (1.0,), dict.fromkeys(weights, (1.0,)), weights, roles, 10, adversarial)


def run(start, end, *curves):
    return ArmRun(0, 10, None, 1.0, curves, (Evaluation(0, "validation", start), Evaluation(10, "validation", end)))


def pairs(name, starts, as_is, fixed, weights=None, fixed_weights=None, **options):
    """Three seeds that differ in one metric; every other is 1 in both arms, before and after."""
    weights = weights or {"a": 1.0}
    rest = {} if name in weights else dict.fromkeys(weights, 1.0)
    return [
        ArmPair(
            run({name: start, **rest}, {name: ours, **rest}, curve(weights, **options)),
            run({name: start, **rest}, {name: theirs, **rest}, curve(fixed_weights or weights, **options)),
        )
        for start, ours, theirs in zip(starts, as_is, fixed)
    ]


def judged(judgements, name):
    (found,) = [judgement for judgement in judgements if judgement.measure.name == name]
    return found


def test_psnr_decides_over_images():
    outcome, judgements = judge_pairs(pairs("psnr", (10.0,) * 3, (13.0, 14.0, 13.5), (16.0, 17.1, 16.4)))
    assert outcome is Outcome.PROVED
    assert judgements[0].measure.name == "psnr"
    assert judgements[0].gain.mean == pytest.approx(3.0)
    assert judged(judgements, PROGRESS).voice is Voice.CONTRADICTS


def test_the_first_number_of_the_metric_decides_over_everything():
    made = pairs("psnr", (10.0,) * 3, (13.0, 14.0, 13.5), (16.0, 17.1, 16.4))
    made = [
        ArmPair(
            *(
                run(
                    {"accuracy": 0.1, **arm.metrics[0].metrics},
                    {"accuracy": end, **arm.metrics[1].metrics},
                    *arm.curves,
                )
                for arm, end in ((pair.as_is, 0.9), (pair.fixed, 0.8))
            )
        )
        for pair in made
    ]
    outcome, judgements = judge_pairs(made)
    assert (outcome, judgements[0].measure.name) == (Outcome.WORSE, "accuracy")
    assert {judgement.voice for judgement in judgements[1:]} == {Voice.SHOWN}


@pytest.mark.parametrize("mirrored", [False, True])
def test_what_is_contradicted_is_not_proved(mirrored):
    psnr, ssim = ((13.0, 16.0), (0.9, 0.5)) if not mirrored else ((16.0, 13.0), (0.5, 0.9))
    made = [
        ArmPair(
            *(
                run(
                    {"psnr": 10.0, "ssim": 0.4, "a": 1.0},
                    {"psnr": p + k, "ssim": s + k / 9, "a": 1.0},
                    curve({"a": 1.0}),
                )
                for p, s in zip(psnr, ssim)
            )
        )
        for k in range(3)
    ]
    outcome, judgements = judge_pairs(made)
    assert outcome is Outcome.NO_DIFFERENCE
    assert {judgements[0].outcome, judged(judgements, "ssim").outcome} == {Outcome.PROVED, Outcome.WORSE}


def test_components_are_weighed_without_their_unit():
    """What one arm gains in millimetres must not outweigh what it loses in metres."""
    weights = {"mm": 1.0, "m": 1.0}
    made = [
        ArmPair(
            run({"mm": 1e6, "m": 1.0}, {"mm": 1e5, "m": 0.9 + k}, curve(weights)),
            run({"mm": 1e6, "m": 1.0}, {"mm": 1.2e5, "m": 0.1 + k}, curve(weights)),
        )
        for k in (0.0, 0.01, 0.02)
    ]
    outcome, judgements = judge_pairs(made)
    assert (outcome, judgements[0].measure.name) == (Outcome.PROVED, PROGRESS)
    # By hand, for the first seed: (1 + 0.1/0.9) / 2 against (0.88/0.9 + 1) / 2.
    assert judgements[0].measure.as_is[0] == pytest.approx((1 + 0.1 / 0.9) / 2)
    assert judgements[0].measure.fixed[0] == pytest.approx((0.88 / 0.9 + 1) / 2)
    assert judged(judgements, "mm").outcome is Outcome.WORSE
    assert judged(judgements, "mm").voice is Voice.SHOWN


@pytest.mark.parametrize(
    ("weights", "fixed", "options"),
    [
        ({"a": 1.0}, {"a": 1.0}, {"roles": {"a": "regularizer"}}),
        ({"a": 0.0}, {"a": 0.0}, {}),
        ({"a": 1.0}, {"a": -1.0}, {}),  # the fix says that the sign is wrong: no judge in its own case
        ({"a": 1.0}, {"a": 1.0}, {"adversarial": True}),
    ],
)
def test_what_nobody_agrees_to_minimise_does_not_decide(weights, fixed, options):
    outcome, judgements = judge_pairs(pairs("a", (1.0,) * 3, (0.5,) * 3, (0.1,) * 3, weights, fixed, **options))
    assert outcome is Outcome.NO_DIFFERENCE
    assert [judgement.voice for judgement in judgements] == [Voice.SHOWN]


def test_a_similarity_with_a_negative_weight_is_to_rise():
    made = pairs("a", (0.1,) * 3, (0.5, 0.52, 0.51), (0.9, 0.91, 0.93), {"a": -1.0})
    outcome, judgements = judge_pairs(made)
    assert outcome is Outcome.PROVED
    assert judged(judgements, "a").measure.more_is_better


def test_a_component_that_a_fix_removes_is_judged_all_the_same():
    made = pairs("a", (1.0,) * 3, (0.5, 0.51, 0.52), (0.1, 0.12, 0.11), {"a": 1.0}, {"b": 1.0})
    assert judge_pairs(made)[0] is Outcome.PROVED


@pytest.mark.parametrize(("as_is", "fixed", "outcome"), [(None, 0.5, Outcome.PROVED), (0.5, None, Outcome.WORSE)])
def test_an_arm_that_ends_in_nan(as_is, fixed, outcome):
    found, judgements = judge_pairs(pairs("a", (1.0,) * 3, (as_is, 0.5, 0.5), (fixed, 0.5, 0.5)))
    assert found is outcome
    assert any(map(math.isnan, (*judgements[0].measure.as_is, *judgements[0].measure.fixed)))


def test_several_objectives_are_told_apart():
    made = [
        ArmPair(
            *(
                run(
                    {"g.adv": 1.0, "g.l1": 1.0, "d.real": 1.0},
                    {"g.adv": 9.0, "g.l1": end + k, "d.real": 9.0},
                    curve({"adv": 1.0, "l1": 1.0}, "g"),
                    curve({"real": 1.0}, "d", adversarial=True),
                )
                for end in (0.5, 0.1)
            )
        )
        for k in (0.0, 0.01, 0.02)
    ]
    judgements = judge_pairs(made)[1]
    assert [judgement.measure.name for judgement in judgements] == [PROGRESS, "g.adv", "g.l1", "d.real"]
    # adv rises by 8 in both arms, l1 falls by 0.5 and 0.9.
    assert judgements[0].measure.as_is[0] == pytest.approx((-1 + 0.5 / 0.9) / 2)
