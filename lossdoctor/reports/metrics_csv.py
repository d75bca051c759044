"""The numbers of a trial as CSV: one row per step, one column per number."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from io import StringIO
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..trial_records import Curve, Evaluation, Number


def render_metrics(curves: Sequence[Curve], metrics: Sequence[Evaluation]) -> str:
    """Return `step`, the total and the unweighted components of every step, and the metrics of those that have some.

    With several objectives, columns are called `objective.component`; metrics have their split in front:
    `validation.psnr`. What is not finite is empty.
    """
    table = _table(curves, metrics)
    columns = list(dict.fromkeys(name for row in table.values() for name in row))
    text = StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["step", *map(_harmless, columns)])
    for step in sorted(table):
        row = table[step]
        writer.writerow([step, *("" if row.get(name) is None else repr(row[name]) for name in columns)])
    return text.getvalue()


def _table(curves: Sequence[Curve], metrics: Sequence[Evaluation]) -> dict[int, dict[str, Number]]:
    table: dict[int, dict[str, Number]] = {}
    for curve in curves:
        prefix = f"{curve.objective}." if len(curves) > 1 else ""
        for name, series in (("total", curve.total), *curve.components.items()):
            for step, value in zip(curve.steps, series, strict=True):
                table.setdefault(step, {})[f"{prefix}{name}"] = value
    for evaluation in metrics:
        table.setdefault(evaluation.step, {}).update(
            {f"{evaluation.split}.{name}": value for name, value in evaluation.metrics.items()}
        )
    return table


def _harmless(name: str) -> str:
    """Return a column's name so that no spreadsheet takes it for a formula."""
    return f"'{name}" if name.startswith(("=", "+", "-", "@", "\t", "\r")) else name
