"""Whether the gradient shares that weights were set for last: they are measured once, and training goes on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from ..config.load import config_of
from ..progress import OnProgress
from ..records import ObjectiveReport
from ..trial_records import TrajectoryPoint
from .prescription import WEIGHTS, Prescription


def followed(prescription: Prescription, checkpoints: Sequence[Path], on_progress: OnProgress) -> Prescription:
    """Return a prescription that warns where the shares of the changed config do not last over saved checkpoints.

    Raises LossDoctorError where a checkpoint cannot be read or does not fit the model.
    """
    from ..setup.build import open_setup
    from ..trials.checkpoints import measure_checkpoints

    config = config_of(prescription.fixed, prescription.path, prescription.overrides)
    with open_setup(config) as setup:
        trial = measure_checkpoints(setup, checkpoints, on_progress=on_progress)
    warnings = drifted(prescription, trial.trajectory, config.loss.tolerance)
    return replace(prescription, warnings=(*prescription.warnings, *warnings))


def drifted(prescription: Prescription, trajectory: Sequence[TrajectoryPoint], tolerance: float) -> Iterator[str]:
    """Yield a warning for every objective with new weights whose shares do not stay what they were set for.

    The shares of the changed config are held against the last point of a trajectory under its loss. The tolerance is
    that of declared shares (`loss.tolerance`): what a share may be off without being off its budget. Regularizers may
    be small at any time.
    """
    weighed = {cure.objective for cure in prescription.cures if cure.name == WEIGHTS}
    for objective in prescription.after.objectives:
        last = trajectory[-1].objective(objective.name) if trajectory else None
        moved = list(_moved(objective, last, tolerance)) if last and objective.name in weighed else []
        if moved:
            when = trajectory[-1].source or f"after {trajectory[-1].step} steps"
            yield (
                f"the shares that the weights were set for do not last: {when}, {', '.join(moved)}. Set them at a "
                "checkpoint of later training (model.checkpoint), or hold them to a budget (loss.shares)."
            )


def _moved(before: ObjectiveReport, after: ObjectiveReport, tolerance: float) -> Iterator[str]:
    later = {component.name: component.grad_share for component in after.components}
    for component in before.components:
        old, new = component.grad_share, later.get(component.name)
        if old is None or new is None or component.role == "regularizer":
            continue
        if max(old, new) > tolerance * min(old, new):
            yield f"{component.name} has {new:.2%} of the gradient instead of {old:.2%}"
