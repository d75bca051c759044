"""Whether the gradient shares that weights were set for last: they are measured once, and training goes on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..records import ObjectiveReport, Report
from ..trial_records import TrajectoryPoint


def drifted(
    measured: Report, trajectory: Sequence[TrajectoryPoint], objectives: Sequence[str], tolerance: float
) -> Iterator[str]:
    """Yield a warning for every objective whose shares do not stay what was measured.

    They are compared with the last point of the trajectory. The tolerance is that of declared shares
    (`loss.tolerance`): what a share may be off without being off its budget. Regularizers may be small at any time.
    """
    for objective in measured.objectives:
        last = trajectory[-1].objective(objective.name) if trajectory else None
        moved = list(_moved(objective, last, tolerance)) if last and objective.name in objectives else []
        if moved:
            when = trajectory[-1].source or f"after {trajectory[-1].step} steps"
            yield (
                f"the shares that the weights were set for do not last: {when}, {', '.join(moved)}. "
                "Set them with a checkpoint of later training as model.checkpoint, or say what they should be in "
                "loss.shares and watch them."
            )


def _moved(before: ObjectiveReport, after: ObjectiveReport, tolerance: float) -> Iterator[str]:
    later = {component.name: component.grad_share for component in after.components}
    for component in before.components:
        old, new = component.grad_share, later.get(component.name)
        if old is None or new is None or component.role == "regularizer":
            continue
        if max(old, new) > tolerance * min(old, new):
            yield f"{component.name} has {new:.2%} of the gradient instead of {old:.2%}"
