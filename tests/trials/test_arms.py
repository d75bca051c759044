"""The arms of a comparison: what they share, bit by bit, and what they are judged by."""

from __future__ import annotations

from pathlib import Path

import pytest

from lossdoctor.config.load import parse_config
from lossdoctor.errors import LossDoctorError
from lossdoctor.trial_api import train
from lossdoctor.trials.arms import OTHER_BATCHES, train_pair
from lossdoctor.trials.split import TRAINING_DATA

HERE = Path(__file__).parent

BASE = {
    "model": {"target": "paired:Net"},
    "data": {"target": "paired:dataset", "batch_size": 16, "validation": {"target": "paired:held_out"}},
    "loss": {"step": "paired:losses", "weights": {"product": 1.0, "sum": 1.0}},
    "measure": {"batches": 2, "seed": 5},
    "trial": {"steps": 8, "lr": 0.01},
}
BALANCED = {"weights": {"product": 1e-4, "sum": 1.0}}


def config(**changes):
    return parse_config(
        {section: {**values, **changes.get(section, {})} for section, values in BASE.items()}, HERE / "paired.yaml"
    )


def pair(fix=BALANCED, *, with_shares=False, **changes):
    changed = {**changes, "loss": {**changes.get("loss", {}), **fix}}
    seen = []
    found, _ = train_pair(
        config(**changes),
        config(**changed),
        lambda arm, seed, steps: seen.append((arm, seed, steps)) or (lambda _step, _rows: None),
        with_shares=with_shares,
    )
    assert seen == [("as is", 5, 8), ("fixed", 5, 8)]
    return found


def test_each_arm_is_the_run_that_train_makes(tmp_path):
    found = pair()
    for arm, loss in (("as is", {}), ("fixed", BALANCED)):
        alone = train(config(loss=loss), output_dir=tmp_path / arm, force=True).report.trial
        assert found.arms[arm].curves == alone.curves
        assert [point.step for point in found.arms[arm].metrics] == [point.step for point in alone.metrics]


def test_both_arms_start_from_the_same_weights():
    found = pair(model={"target": "paired:Unseeded"})
    assert found.as_is.metrics[0] == found.fixed.metrics[0]
    assert found.as_is.curves[0].components["sum"][0] == found.fixed.curves[0].components["sum"][0]
    assert found.as_is.metrics[-1] != found.fixed.metrics[-1]
    assert found.notes == ()


def test_both_are_judged_in_the_units_of_the_config_as_it_is():
    """The fix has another unit; the old one counts in both arms, as another function measures it."""
    found = pair({"step": "paired:normalised", "weights": {"product": 1.0}}, trial={"metric": "paired:error"})
    for run in found.arms.values():
        last = run.metrics[-1].metrics
        assert last["product"] == pytest.approx(last["product again"], rel=1e-5)
        assert last["quality"] == pytest.approx(-(last["product"] / 1e4 + last["sum"]), rel=1e-5)


def test_what_the_users_code_counts_starts_afresh():
    found = pair({"weights": {"product": 1e-4, "sum": 1.0, "calls": 0.0}}, loss={"step": "paired:counting"})
    counts = [run.curves[0].components["calls"] for run in found.arms.values()]
    assert counts[0] == counts[1]


def test_data_that_do_not_follow_the_seed_are_noticed():
    found = pair(data={"target": "paired:unseeded", "validation": None})
    assert found.notes == (TRAINING_DATA, OTHER_BATCHES)


def test_shares_are_measured_on_the_way_where_asked():
    found = pair(with_shares=True)
    assert found.as_is.trajectory == ()
    assert [point.step for point in found.fixed.trajectory][:: len(found.fixed.trajectory) - 1] == [0, 8]
    assert pair().fixed.curves == found.fixed.curves


def test_a_game_needs_a_judge():
    game = {"model": {"target": "sabotaged:GAN"}, "data": {"target": "sabotaged:far_away", "validation": None}}
    loss = {"step": "sabotaged:game", "weights": {"real": 1.0, "fake": 1.0, "adversarial": 1.0}}
    with pytest.raises(LossDoctorError, match="adversarial") as caught:
        train_pair(config(**game, loss=loss), config(**game, loss=loss), lambda *_: lambda *_: None, with_shares=False)
    assert "trial.metric" in str(caught.value)
