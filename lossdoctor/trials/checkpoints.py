"""How the balance moved during a training that is over: the same measurement on each of its checkpoints.

Costs for every checkpoint what the gradient instrument costs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from torch import nn

from ..checkpoint_files import number_in
from ..errors import CheckpointError
from ..instruments.ownership import parameters_of_objectives
from ..progress import OnProgress, silent
from ..setup.build import Setup
from ..setup.checkpoint import load_checkpoint
from ..setup.preserve import preserved
from ..trial_records import Curve, TrajectoryPoint, Trial
from ..verdicts import judge_components
from .optimizers import adversarial_objectives
from .trajectory import measure_point
from .weights_file import saved_step


def measure_checkpoints(setup: Setup, files: Sequence[Path], *, on_progress: OnProgress = silent) -> Trial:
    """Measure the setup's batches with the weights of each checkpoint, in the order of their steps.

    Steps are those that lossdoctor has written into a file, else the last number in its name; where they cannot be
    told apart, the checkpoints are counted from 0 as they were given, and a weight that follows a schedule has its last
    value. The model is left as it was.

    Raises CheckpointError where one cannot be read or does not fit the model.
    """
    steps = {file: step for file in files if (step := _step_of(file)) is not None}
    numbered = len(set(steps.values())) == len(files)
    order = sorted(files, key=lambda file: steps[file]) if numbered else list(files)
    measured = setup if numbered else replace(setup, schedules={})
    points = []
    with preserved(setup.model):
        for position, file in enumerate(order):
            on_progress(f"measuring {len(order)} checkpoints", position, len(order))
            _load(setup.model, file, strict=setup.checkpoint is None or setup.checkpoint.strict)
            points.append(measure_point(measured, steps[file] if numbered else position, str(file)))
        curves = tuple(_curves(setup, points))
    return Trial(
        kind="checkpoints",
        planned=None,
        steps=points[-1].step,
        from_checkpoint=True,
        curves=curves,
        trajectory=tuple(points),
        verdicts=tuple(judge_components(points, {}, ())),
        notes=() if numbered else ("the files do not tell their steps: they are counted in the order of their names",),
        skipped={
            "planned": "checkpoints do not tell where the training began",
            "floors": "only overfit-batch compares with a perfect prediction",
            "control": "only overfit-batch runs a control",
            "outputs": "only a trial looks at what it has trained",
        },
    )


def _step_of(file: Path) -> int | None:
    step = saved_step(file)
    return number_in(file.name) if step is None else step


def _load(model: nn.Module, file: Path, *, strict: bool) -> None:
    facts = load_checkpoint(model, file, strict=strict)
    unfit = [*facts.missing, *(mismatch.key for mismatch in facts.reshaped)]
    if not facts.loaded or (strict and unfit):
        message = f"{file} does not fit the model: {', '.join(unfit[:3]) or 'nothing in it'}" + (
            f" and {len(unfit) - 3} more" if len(unfit) > 3 else ""
        )
        raise CheckpointError(message, "Name checkpoints of this model alone, or set model.strict to false.")


def _curves(setup: Setup, points: Sequence[TrajectoryPoint]) -> Iterator[Curve]:
    """Yield what the totals were at the checkpoints, all on the same batches."""
    losses = setup.evaluate(0)
    parameters = {name: tuple(own.measured.values()) for name, own in parameters_of_objectives(setup, losses).items()}
    adversarial = adversarial_objectives(losses, parameters)
    for objective in points[-1].objectives:
        reports = [report for point in points if (report := point.objective(objective.name)) is not None]
        values: list[Mapping[str, float | None]] = [{c.name: c.value for c in report.components} for report in reports]
        yield Curve(
            objective=objective.name,
            steps=tuple(point.step for point in points),
            total=tuple(report.value for report in reports),
            components={c.name: tuple(row.get(c.name) for row in values) for c in objective.components},
            weights={c.name: c.weight for c in objective.components},
            roles={c.name: c.role for c in objective.components},
            trained=sum(parameter.numel() for parameter in parameters[objective.name]),
            adversarial=objective.name in adversarial,
        )
