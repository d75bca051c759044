"""A trial on the terminal: the verdict of every component, the shares over time, the metrics, the files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import PurePath
from typing import TYPE_CHECKING, TypeVar

from rich.console import RenderableType
from rich.style import Style
from rich.table import Table
from rich.text import Text

from . import rich_style as style
from .number_format import number, percent
from .summary import plural

if TYPE_CHECKING:
    from ..records import ObjectiveReport
    from ..trial_records import ComponentVerdict, Evaluation, TrajectoryPoint, Trial

Point = TypeVar("Point")

VERDICT_STYLES = {"learned": style.PASSED, "rose": style.WARNING, "stuck": style.WARNING, "not finite": style.ERROR}

#: Moments of the trajectory that are shown; the JSON report has all.
SHOWN_POINTS = 5


def trial_sections(trial: Trial) -> Iterator[RenderableType]:
    """Yield what a trial showed, part by part."""
    yield Text(_headline(trial), style.HEADER)
    if trial.verdicts:
        yield _verdicts(trial)
        if any(verdict.input_used is False for verdict in trial.verdicts):
            yield Text("! got as far with the input zeroed: what it learned, it did not learn from the input")
    if len(trial.trajectory) > 1:
        yield _balance(trial)
    if trial.metrics:
        yield _metrics(trial.metrics)
    for note in trial.notes:
        yield Text(note)
    if trial.files:
        yield Text(f"written: {in_folder(trial.files)}")


def _headline(trial: Trial) -> str:
    if trial.kind == "checkpoints":
        return plural(len(trial.trajectory), "checkpoint")
    origin = "the checkpoint" if trial.from_checkpoint else "fresh weights"
    steps = f"{trial.steps} of {trial.planned} steps" if trial.stopped else f"{trial.steps} steps"
    ending = f"; {trial.stopped}" if trial.stopped else ""
    what = "one batch" if trial.kind == "overfit-batch" else "training"
    return f"{what}, {steps} from {origin} in {number(round(trial.seconds, 1))} s{ending}"


def in_folder(files: Sequence[str]) -> str:
    """Return the folder once, and the names in it."""
    folder = str(PurePath(files[0]).parent)
    names = [PurePath(file).name if str(PurePath(file).parent) == folder else file for file in files]
    return f"{folder}: {', '.join(names)}"


def _verdicts(trial: Trial) -> Table:
    several = len({verdict.objective for verdict in trial.verdicts}) > 1
    with_floor = any(verdict.floor is not None for verdict in trial.verdicts)
    with_control = trial.control is not None
    table = open_table("component", "start", "end", "left")
    for name, shown in (("perfect", with_floor), ("input zeroed", with_control)):
        if shown:
            table.add_column(name, justify="right", header_style=style.HEADER)
    table.add_column("verdict", header_style=style.HEADER)
    for verdict in trial.verdicts:
        optional = [
            *([number(verdict.floor)] if with_floor else []),
            *([_control(verdict)] if with_control else []),
        ]
        table.add_row(
            _name(verdict, several=several),
            number(verdict.start),
            number(verdict.end),
            percent(verdict.fraction),
            *optional,
            Text(verdict.verdict, VERDICT_STYLES.get(verdict.verdict, Style())),
        )
    return table


def _name(verdict: ComponentVerdict, *, several: bool) -> Text:
    return Text(f"{verdict.objective}.{verdict.component}" if several else verdict.component)


def _control(verdict: ComponentVerdict) -> str:
    return number(verdict.control) + (" !" if verdict.input_used is False else "")


def _balance(trial: Trial) -> Table:
    """Return the gradient shares over the steps, with the value and the gradient norm of every total below them."""
    points = _spread(trial.trajectory)
    table = open_table("gradient share", *map(_moment, points))
    several = len(points[0].objectives) > 1
    for objective in points[0].objectives:
        reports = [point.objective(objective.name) for point in points]
        prefix = f"{objective.name}." if several else ""
        for component in objective.components:
            table.add_row(
                Text(prefix + component.name), *(percent(_share(report, component.name)) for report in reports)
            )
        totals = {
            objective.name: [report.value if report else None for report in reports],
            "gradient norm": [report.grad_norm if report else None for report in reports],
        }
        for name, values in totals.items():
            table.add_row(Text(name), *map(number, values), style=style.LABEL)
    return table


def _moment(point: TrajectoryPoint) -> str:
    return PurePath(point.source).stem if point.source else f"step {point.step}"


def _share(report: ObjectiveReport | None, component: str) -> float | None:
    row = report.component(component) if report else None
    return row.grad_share if row else None


def _metrics(metrics: Sequence[Evaluation]) -> Table:
    points = _spread(metrics)
    table = open_table(f"{points[-1].split} data", *(f"step {point.step}" for point in points))
    for name in points[-1].metrics:
        table.add_row(Text(name), *(number(point.metrics.get(name)) for point in points))
    return table


def _spread(points: Sequence[Point]) -> list[Point]:
    """Return a few of the points, the first and the last among them."""
    last = len(points) - 1
    return [points[k] for k in sorted({round(last * k / (SHOWN_POINTS - 1)) for k in range(SHOWN_POINTS)})]


def open_table(first: str, *others: str) -> Table:
    """Return an empty table without rules, numbers in all columns but the first."""
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, show_edge=False)
    table.add_column(Text(first), header_style=style.HEADER)
    for name in others:
        table.add_column(Text(name), justify="right", header_style=style.HEADER)
    return table
