"""Gradient shares, norms and cosines again and again while a model is trained, on the same batches each time."""

from __future__ import annotations

from ..balance import summarize
from ..config.schema import TrialConfig
from ..instruments.gradients import measure_gradients
from ..setup.build import Setup
from ..setup.preserve import preserved
from ..trial_records import TrajectoryPoint

#: Measurements of a run where `trial.measure_every` is auto, the first and the last included.
MEASUREMENTS = 10


def measuring_steps(trial: TrialConfig) -> frozenset[int]:
    """Return the steps at which shares are measured: the first, the last, and some between, log-spaced by default.

    Most happens early: a balance that breaks does so in the first steps more often than in the last.
    """
    steps = trial.steps
    if trial.measure_every == "auto":
        between = {round(steps ** (k / (MEASUREMENTS - 2))) for k in range(MEASUREMENTS - 1)}
    else:
        between = set(range(0, steps, trial.measure_every))
    return frozenset({0, *between, steps})


def measure_point(setup: Setup, step: int, source: str = "") -> TrajectoryPoint:
    """Measure the setup's batches with the weights of a step. The model and all random generators stay as they are."""
    with preserved(setup.model):
        measured = measure_gradients(setup.at(step), check_additivity=False)
    return TrajectoryPoint(step, tuple(summarize(objective) for objective in measured), source)
