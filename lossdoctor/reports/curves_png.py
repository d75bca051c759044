"""The curves of a trial, or of both arms of a comparison, as a picture."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from io import BytesIO
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from ..prescription.proof import Proof
    from ..trial_records import ArmPair, Curve, Number, TrajectoryPoint, Trial

#: Inches and dots per inch.
WIDTH, HEIGHT, RESOLUTION = 10.0, 3.2, 100

#: In a row, where there are many.
PANELS = 3

ARM_COLORS = {"as is": "tab:red", "fixed": "tab:blue"}


def draw_curves(trial: Trial) -> bytes:
    """Return a PNG: for every objective its weighted components and total, and beside them the gradient shares."""
    from matplotlib.figure import Figure  # takes half a second, and no window or display

    figure = Figure(figsize=(WIDTH, HEIGHT * max(len(trial.curves), 1)), layout="constrained")
    axes = figure.subplots(max(len(trial.curves), 1), 2, squeeze=False)
    for (left, right), curve in zip(axes, trial.curves, strict=False):
        _draw_losses(left, curve)
        _draw_shares(right, trial.trajectory, curve.objective)
    return _png(figure)


def draw_arms(proof: Proof) -> bytes:
    """Return a PNG: a panel for every metric over the steps, both arms in it, and one for the fixed arm's shares.

    A thin line is a seed, the thick one their mean.
    """
    from matplotlib.figure import Figure

    names = list(proof.pairs[0].as_is.metrics[0].metrics)
    objectives = [curve.objective for curve in proof.pairs[0].fixed.curves] if proof.pairs[0].fixed.trajectory else []
    rows = math.ceil((len(names) + len(objectives)) / PANELS)
    figure = Figure(figsize=(WIDTH, HEIGHT * rows), layout="constrained")
    panels = iter(figure.subplots(rows, PANELS, squeeze=False).flat)
    for name in names:
        _draw_metric(next(panels), name, proof.pairs)
    for objective in objectives:
        _draw_shares(axes := next(panels), proof.pairs[0].fixed.trajectory, objective)
        axes.set_title("gradient shares, fixed")
    for unused in panels:
        unused.set_axis_off()
    return _png(figure)


def _draw_metric(axes: Axes, name: str, pairs: Sequence[ArmPair]) -> None:
    for arm, color in ARM_COLORS.items():
        runs = [pair.arms[arm] for pair in pairs]
        series = [{point.step: _or_nan(point.metrics.get(name)) for point in run.metrics} for run in runs]
        for own in series:
            axes.plot(list(own), list(own.values()), color=color, linewidth=0.6, alpha=0.6)
        steps = sorted(set.intersection(*map(set, series)))
        means = [sum(own[step] for own in series) / len(series) for step in steps]
        axes.plot(steps, means, color=color, linewidth=2, label=arm)
    axes.set_title(_plain(name))
    axes.set_xlabel("step")
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8)


def _draw_losses(axes: Axes, curve: Curve) -> None:
    weighted = {
        f"{curve.weights[name]:g} × {name}": [None if v is None else curve.weights[name] * v for v in values]
        for name, values in curve.components.items()
    }
    _draw(axes, curve.steps, {"total": curve.total, **weighted})
    if all(value is None or value > 0 for values in (curve.total, *weighted.values()) for value in values):
        axes.set_yscale("log")
    axes.set_title(curve.objective)


def _draw_shares(axes: Axes, trajectory: Sequence[TrajectoryPoint], objective: str) -> None:
    reports = [(point.step, report) for point in trajectory if (report := point.objective(objective))]
    names = [component.name for component in reports[0][1].components] if reports else []
    shares = {
        name: [row.grad_share if (row := report.component(name)) else None for _, report in reports] for name in names
    }
    _draw(axes, [step for step, _ in reports], shares)
    axes.set_ylim(0, 1)
    axes.set_xscale("symlog", linthresh=1)
    axes.set_xlim(left=0)
    axes.set_title("gradient shares")


def _draw(axes: Axes, steps: Sequence[int], series: Mapping[str, Sequence[Number]]) -> None:
    for name, values in series.items():
        axes.plot(steps, list(map(_or_nan, values)), label=_plain(name), linewidth=1.2)
    axes.set_xlabel("step")
    axes.grid(alpha=0.3)
    if series:
        axes.legend(fontsize=8)


def _or_nan(value: Number) -> float:
    return math.nan if value is None else value


def _plain(name: str) -> str:
    """Return a name that matplotlib shows as it is: it would set formulas, and hide what begins with an underscore."""
    return name.replace("$", r"\$").lstrip("_") or "?"


def _png(figure: Figure) -> bytes:
    png = BytesIO()
    figure.savefig(png, format="png", dpi=RESOLUTION)
    return png.getvalue()
