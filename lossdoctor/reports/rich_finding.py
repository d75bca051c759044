"""One finding on the terminal: what is wrong, the numbers behind it, where it comes from and what to do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from rich.console import Group, RenderableType
from rich.style import Style
from rich.table import Table
from rich.text import Text

from ..records import Failure, Finding, Verdict
from . import rich_style as style
from .details import failure_text, fix_lines
from .evidence import evidence_rows
from .places import shown_place

#: Lines of evidence that are shown; the JSON report has all.
LONGEST_EVIDENCE = 16


def render_finding(finding: Finding, symptoms: Sequence[Finding], *, objectives: int) -> RenderableType:
    """Return one finding and, in brief, the `symptoms` that it explains.

    The objective is named where there are several `objectives`.
    """
    body = Group(_title(finding, name_objective=objectives > 1), Text(finding.message), _details(finding, symptoms))
    grid = _grid()
    mark = style.SEVERITY_MARKS[finding.severity]
    grid.add_row(Text(mark, style.SEVERITY_STYLES[finding.severity]), body)
    return grid


def render_failure(failure: Failure, config: str) -> RenderableType:
    """Return what kept a config from being used."""
    place = shown_place(failure.location) if failure.location else config
    body = Group(
        Text(place, style.HEADER),
        Text(failure_text(failure)),
        *([Text(f"→ {failure.advice}")] if failure.advice else []),
    )
    grid = _grid()
    grid.add_row(Text(style.VERDICT_MARKS[Verdict.ERROR], style.ERROR), body)
    return grid


def _title(finding: Finding, *, name_objective: bool) -> Text:
    severity = (finding.severity.value, style.SEVERITY_STYLES[finding.severity])
    objective = f" of {finding.objective}" if name_objective and finding.objective else ""
    return Text.assemble(_rule(finding), "  ", severity, _where(finding), objective)


def _details(finding: Finding, symptoms: Sequence[Finding]) -> Table:
    grid = _grid()
    for label, content in _labelled(finding, symptoms):
        grid.add_row(Text(label, style.LABEL), content)
    return grid


def _labelled(finding: Finding, symptoms: Sequence[Finding]) -> Iterator[tuple[str, RenderableType]]:
    if finding.evidence:
        yield "evidence", _evidence(finding.evidence)
    if finding.location:
        yield "source", Text(shown_place(finding.location))
    if finding.remedy:
        yield "remedy", Text(finding.remedy)
    if finding.fix:
        yield "fix", Text("\n".join(fix_lines(finding.fix)))
    if finding.explained_by:
        yield "because", Text(f"{finding.explained_by} explains it")
    for index, symptom in enumerate(symptoms):
        yield ("" if index else "explains"), _symptom(symptom)


def _evidence(evidence: Mapping[str, Any]) -> Table:
    rows = list(evidence_rows(evidence))
    grid = _grid()
    for key, text in islice(rows, LONGEST_EVIDENCE):
        grid.add_row(Text(key), Text(text))
    if len(rows) > LONGEST_EVIDENCE:
        grid.add_row(Text("..."), Text(f"{len(rows) - LONGEST_EVIDENCE} more lines in the JSON report"))
    return grid


def _symptom(symptom: Finding) -> Text:
    mark = (style.SEVERITY_MARKS[symptom.severity], style.SEVERITY_STYLES[symptom.severity])
    return Text.assemble(mark, " ", _rule(symptom), _where(symptom), f": {symptom.message}")


def _rule(finding: Finding) -> tuple[str, Style]:
    return f"{finding.code} {finding.name}", style.HEADER


def _where(finding: Finding) -> str:
    return f" in {', '.join(finding.components)}" if finding.components else ""


def _grid() -> Table:
    grid = Table.grid(padding=(0, 2))
    grid.add_column()
    grid.add_column(overflow="fold")
    return grid
