"""The report as CSV, for spreadsheets: a row for each finding."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from io import StringIO
from typing import TYPE_CHECKING, Any

from ..printable import printable
from .json_text import json_line
from .places import place_of

if TYPE_CHECKING:
    from ..records import Failure, Finding, Report

COLUMNS = (
    "config", "level", "code", "name", "objective", "components", "message", "remedy", "explained_by", "file", "line",
    "column", "evidence", "fix",
)  # fmt: skip

#: What makes spreadsheets take a text for a formula (OWASP, "CSV Injection"), the full-width forms included.
_FORMULA = ("=", "+", "-", "@", "＝", "＋", "－", "＠")


def render_csv(reports: Sequence[Report]) -> str:
    """Return a header and a row for each finding; what kept a config from being used is a row without a code.

    Components, evidence and fix are JSON. A text that a spreadsheet would take for a formula begins with `'`.
    """
    file = StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows([_cell(value) for value in row] for report in reports for row in _rows(report))
    return file.getvalue()


def _rows(report: Report) -> Iterator[list[object]]:
    for failure in report.failures:
        yield [*_failure(failure, report), *_place(failure, report), "", ""]
    for finding in report.findings:
        yield [*_finding(finding, report), *_place(finding, report), *map(_json, (finding.evidence, finding.fix))]


def _failure(failure: Failure, report: Report) -> list[object]:
    return [report.config, "error", "", "unusable-config", "", failure.key, failure.message, failure.advice, ""]


def _finding(finding: Finding, report: Report) -> list[object]:
    return [
        report.config,
        finding.severity.value,
        finding.code,
        finding.name,
        finding.objective,
        json_line(finding.components),
        finding.message,
        finding.remedy,
        finding.explained_by or "",
    ]


def _place(subject: Finding | Failure, report: Report) -> list[object]:
    place = place_of(subject, report)
    return [place.file, place.line, place.column] if place.line else [place.file, "", ""]


def _json(value: Mapping[str, Any] | None) -> str:
    return json_line(value) if value else ""


def _cell(value: object) -> object:
    if not isinstance(value, str):
        return value
    text = printable(value)
    return f"'{text}" if text.startswith(_FORMULA) else text
