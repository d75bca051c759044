"""What a trial shows while it runs."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from lossdoctor import trial_view
from lossdoctor.trial_records import Curve, Evaluation
from lossdoctor.trial_view import sparkline


def curve(objective="total", **components):
    steps = tuple(range(len(next(iter(components.values())))))
    total = tuple(None if None in values else sum(values) for values in zip(*components.values()))
    return Curve(objective, steps, total, components, dict.fromkeys(components, 1.0), dict.fromkeys(components), 1)


def test_a_sparkline_goes_from_its_least_to_its_greatest():
    assert sparkline([0, 1, 2, 3, 4, 5, 6, 7]) == "▁▂▃▄▅▆▇█"
    assert sparkline([3.0, 3.0]) == "▁▁"
    assert sparkline([1.0, None, 0.0]) == "█?▁"
    assert sparkline([]) == ""


def test_a_long_series_is_shown_by_the_means_of_its_parts():
    line = sparkline([float(k) for k in range(1000)], width=8)
    assert line == "▁▂▃▄▅▆▇█"


def test_the_table_fits_eighty_columns_and_shows_the_total_first():
    curves = [curve(perceptual=(2.0, 1.0, 0.5), ab=(1.0, None, 0.25))]
    file = io.StringIO()
    table = trial_view._table("training: step 3 of 200, 12 s left", curves, {"psnr": 21.5})
    Console(file=file, width=80).print(table)
    lines = [line.split() for line in file.getvalue().splitlines()]
    assert file.getvalue().startswith("training: step 3 of 200, 12 s left")
    assert lines[1:] == [
        ["total", "█?▁", "0.75"],
        ["perceptual", "█▃▁", "0.5"],
        ["ab", "█?▁", "0.25"],
        ["psnr", "21.5"],
    ]


def test_without_a_terminal_there_are_about_ten_plain_lines(capsys):
    with trial_view.trial_view(quiet=False) as view:
        look = view.watch("training", 200)
        view.evaluated(Evaluation(0, "validation", {"psnr": 20.0, "adv": 2.0}))
        for step in range(1, 201):
            look(step, [curve("generator", adv=(1.0, 0.5)), curve("critic", real=(2.0, 3.0))])
    lines = capsys.readouterr().err.splitlines()
    assert 10 <= len(lines) <= 11
    assert lines[-1] == (
        "training, step 200/200, 0 s left: generator 0.5, generator.adv 0.5, critic 3, critic.real 3, "
        "validation psnr 20, validation adv 2"
    )
    assert "\x1b" not in "".join(lines)


@pytest.mark.parametrize("quiet", [True])
def test_quiet_shows_nothing(quiet, capsys):
    with trial_view.trial_view(quiet=quiet) as view:
        view.watch("training", 2)(1, [curve(a=(1.0,))])
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(("later", "left"), [(0, "30 s left"), (2, "110 s left")])
def test_the_time_left_counts_the_runs_that_follow(monkeypatch, capsys, later, left):
    """10 of 40 steps in 10 seconds: 30 more seconds, and 40 for every run like this one."""
    clock = iter([100.0, 110.0])
    monkeypatch.setattr(trial_view.time, "monotonic", lambda: next(clock))
    with trial_view.trial_view(quiet=False) as view:
        view.watch("fixed, seed 0", 40, later=later)(10, [curve(lab=(0.5,))])
    last = capsys.readouterr().err.splitlines()[-1]
    assert last == f"fixed, seed 0, step 10/40, {left}: total 0.5, lab 0.5"


def test_a_run_that_is_resumed_has_its_own_pace(monkeypatch):
    """Of 10 steps, two took 2 seconds: 8 more."""
    clock = iter([100.0, 102.0])
    monkeypatch.setattr(trial_view.time, "monotonic", lambda: next(clock))
    assert trial_view._time_left(40, 30, later=0)(32) == "8 s left"
