"""What is behind a finding, as labelled text for the formats that have no columns of their own for it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from .evidence import evidence_rows
from .json_text import json_line
from .places import place_of, shown_place

if TYPE_CHECKING:
    from ..records import Failure, Finding, Report


def details(finding: Finding, report: Report) -> Iterator[tuple[str, list[str]]]:
    """Yield `(label, lines)`: source, objective, evidence, remedy, fix, and what explains it, where there is any."""
    yield "source", [shown_place(place_of(finding, report))]
    if finding.objective not in ("", "total"):  # a loss without objectives is the objective "total"
        yield "objective", [finding.objective]
    if finding.evidence:
        yield "evidence", [f"{key}: {text}" for key, text in evidence_rows(finding.evidence)]
    if finding.remedy:
        yield "remedy", [finding.remedy]
    if finding.fix:
        yield "fix", list(fix_lines(finding.fix))
    if finding.explained_by:
        yield "explained by", [finding.explained_by]


def fix_lines(fix: Mapping[str, Any]) -> Iterator[str]:
    """Yield a line for each key of a fix, fit to be pasted into the config or after `--set`."""
    # JSON is YAML too, and unlike a YAML writer it never breaks a value over lines.
    for key, value in fix.items():
        yield f"{key}: {json_line(value)}"


def failure_text(failure: Failure) -> str:
    """Return what kept a config from being used, its key before it."""
    return f"{failure.key}: {failure.message}" if failure.key else failure.message
