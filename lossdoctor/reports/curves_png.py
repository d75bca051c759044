"""The curves of a trial as a picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from io import BytesIO
from typing import TYPE_CHECKING

from ..trial_records import Curve, Number, Trial

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Inches and dots per inch.
WIDTH, HEIGHT, RESOLUTION = 10.0, 3.2, 100


def draw_curves(trial: Trial) -> bytes:
    """Return a PNG: for every objective its weighted components and total, and beside them the gradient shares."""
    from matplotlib.figure import Figure  # takes half a second, and no window or display

    figure = Figure(figsize=(WIDTH, HEIGHT * max(len(trial.curves), 1)), layout="constrained")
    axes = figure.subplots(max(len(trial.curves), 1), 2, squeeze=False)
    for (left, right), curve in zip(axes, trial.curves, strict=False):
        _draw_losses(left, curve)
        _draw_shares(right, trial, curve.objective)
    png = BytesIO()
    figure.savefig(png, format="png", dpi=RESOLUTION)
    return png.getvalue()


def _draw_losses(axes: Axes, curve: Curve) -> None:
    weighted = {
        f"{curve.weights[name]:g} × {name}": [None if v is None else curve.weights[name] * v for v in values]
        for name, values in curve.components.items()
    }
    _draw(axes, curve.steps, {"total": curve.total, **weighted})
    if all(value is None or value > 0 for values in (curve.total, *weighted.values()) for value in values):
        axes.set_yscale("log")
    axes.set_title(curve.objective)


def _draw_shares(axes: Axes, trial: Trial, objective: str) -> None:
    reports = [(point.step, report) for point in trial.trajectory if (report := point.objective(objective))]
    names = [component.name for component in reports[0][1].components] if reports else []
    shares = {
        name: [next((c.grad_share for c in report.components if c.name == name), None) for _, report in reports]
        for name in names
    }
    _draw(axes, [step for step, _ in reports], shares)
    axes.set_ylim(0, 1)
    axes.set_xscale("symlog", linthresh=1)
    axes.set_title("gradient shares")


def _draw(axes: Axes, steps: Sequence[int], series: Mapping[str, Sequence[Number]]) -> None:
    for name, values in series.items():
        label = (
            name.replace("$", r"\$").lstrip("_") or "?"
        )  # matplotlib would set formulas, and hide what begins with _
        axes.plot(steps, [float("nan") if value is None else value for value in values], label=label, linewidth=1.2)
    axes.set_xlabel("step")
    axes.grid(alpha=0.3)
    if series:
        axes.legend(fontsize=8)
