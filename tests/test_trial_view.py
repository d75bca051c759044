"""The time that is left, by the pace so far."""

import pytest

from lossdoctor import trial_view


@pytest.mark.parametrize(("later", "left"), [(0, "30 s left"), (2, "110 s left")])
def test_time_left_counts_the_runs_that_follow(monkeypatch, capsys, later, left):
    """10 of 40 steps in 10 seconds: 30 more seconds, and 40 for every run like this one."""
    clock = iter([100.0, 110.0])
    monkeypatch.setattr(trial_view.time, "monotonic", lambda: next(clock))
    with trial_view.trial_view(quiet=False) as view:
        view.watch("fixed, seed 0", 40, later=later)(10, {"total": [{"lab": 0.5}]})
    assert capsys.readouterr().err == f"fixed, seed 0, step 10/40, {left}: lab 0.5\n"
