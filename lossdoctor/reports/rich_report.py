"""The report for a person: tables of the objectives, findings, what was skipped, and last the verdict."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import StringIO
from pathlib import PurePath
from typing import Any

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.constrain import Constrain
from rich.segment import Segment
from rich.text import Text

from ..printable import in_ascii, printable
from ..records import Finding, Report, Severity, Skipped
from . import rich_style as style
from .number_format import number
from .rich_finding import render_finding
from .rich_objective import WIDE, objective_tables
from .text import LONGEST, shortened, with_strings

#: Prose in longer lines is hard to read, however wide the terminal.
LONGEST_LINE = 110


def render_rich(report: Report, *, wide: bool = False) -> Group:
    """Return the report for `Console.print`; it fits itself to the console's width, colours and encoding.

    From 110 columns on, or with `wide`, it also shows gradient norms, value shares, cosines and spreads.
    """
    return Group(_TerminalReport(report, wide))


def render_text(report: Report) -> str:
    """Return what a terminal of 110 columns would show, as plain text for a file."""
    file = StringIO()
    console = Console(file=file, width=WIDE, color_system=None, legacy_windows=False)
    console.print(render_rich(report))
    return "".join(f"{line.rstrip()}\n" for line in file.getvalue().splitlines())


@dataclass(frozen=True)
class _TerminalReport:
    """A report that learns of its terminal when it is printed."""

    report: Report
    wide: bool

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        in_unicode = not (options.ascii_only or options.legacy_windows)
        foreign = printable if in_unicode else in_ascii
        report = with_strings(self.report, lambda text: foreign(shortened(text, LONGEST)))
        sections = Group(*_sections(report, options.max_width, wide=self.wide))
        # Laid out in Unicode whatever the terminal: our own glyphs have ASCII stand-ins of the same width.
        layout = dataclasses.replace(options, encoding="utf-8", legacy_windows=False)
        for segment in console.render(sections, layout):
            text = segment.text if in_unicode else style.ascii_glyphs(segment.text)
            yield Segment(text, None if console.no_color else segment.style)


def _sections(report: Report, width: int, *, wide: bool) -> Iterator[RenderableType]:
    for objective in report.objectives:
        marks = _marks(report.findings, objective.name)
        for table in objective_tables(objective, marks, width=width, wide=wide):
            yield table
            yield ""
    for finding, symptoms in _causes(report.findings):
        yield Constrain(render_finding(finding, symptoms, objectives=len(report.objectives)), LONGEST_LINE)
        yield ""
    if report.skipped:
        yield Constrain(Text(_skipped(report.skipped)), LONGEST_LINE)
    yield from _advice(report.findings)
    yield _verdict(report, width)


def _marks(findings: Sequence[Finding], objective: str) -> Mapping[str, Severity]:
    """Return the worst severity at which a finding names each component."""
    marks: dict[str, Severity] = {}
    for finding in _by_severity(findings)[::-1]:
        if finding.objective == objective:
            marks.update(dict.fromkeys(finding.components, finding.severity))
    return marks


def _by_severity(findings: Sequence[Finding]) -> list[Finding]:
    return sorted(findings, key=lambda finding: (finding.severity.rank, finding.code))


def _causes(findings: Sequence[Finding]) -> list[tuple[Finding, list[Finding]]]:
    """Return the findings, most severe first, each with those that it explains.

    A finding whose explanation is not in the report stands for itself.
    """
    ordered = _by_severity(findings)
    explainers = {(finding.objective, finding.code) for finding in ordered if finding.explained_by is None}
    causes: list[Finding] = []
    symptoms: dict[tuple[str, str | None], list[Finding]] = {}
    for finding in ordered:
        explainer = (finding.objective, finding.explained_by)
        (symptoms.setdefault(explainer, []) if explainer in explainers else causes).append(finding)
    return [(cause, symptoms.pop((cause.objective, cause.code), [])) for cause in causes]


def _skipped(skipped: Sequence[Skipped]) -> str:
    """Return one line: the codes that share a reason, then the reason."""
    codes: dict[str, list[str]] = {}
    for rule in skipped:
        codes.setdefault(rule.reason, []).append(rule.code)
    return "skipped: " + "; ".join(f"{', '.join(sorted(group))} ({reason})" for reason, group in codes.items())


def _advice(findings: Sequence[Finding]) -> Iterator[Text]:
    for finding in _by_severity(findings)[:1]:
        yield Text.assemble("next: ", (f"lossdoctor rule {finding.code}", style.HEADER), " explains ", finding.name)


def _verdict(report: Report, width: int) -> Text:
    """Return the verdict in one line: where it is too long, the config's folder goes first, then its end."""
    mark = style.VERDICT_MARKS[report.verdict]
    circumstances = list(_circumstances(report.environment))
    counts = _counts(report.findings)
    by_name = [counts, _subject(report.command, PurePath(report.config).name), *circumstances]
    candidates = [
        [counts, _subject(report.command, report.config), *circumstances],
        *(by_name[:length] for length in range(len(by_name), 0, -1)),
    ]
    fitting = (parts for parts in candidates if cell_len(f"{mark} {' · '.join(parts)}") <= width)
    rest = "".join(f" · {part}" for part in next(fitting, [counts])[1:])
    return Text.assemble((f"{mark} {counts}", style.VERDICT_STYLES[report.verdict]), rest)


def _counts(findings: Sequence[Finding]) -> str:
    counts = Counter(finding.severity for finding in findings)
    named = [f"{counts[level]} {level.value}{'s' * (counts[level] > 1)}" for level in Severity if counts[level]]
    return ", ".join(named) or "no findings"


def _subject(command: str, config: str) -> str:
    return f"{command} {config}" if config else command


def _circumstances(environment: Mapping[str, Any]) -> Iterator[str]:
    batches, device, seconds = (environment.get(key) for key in ("batches", "device", "seconds"))
    where = f"on {device}" if device else ""
    if batches:
        where = f"{batches} batch{'es' * (batches != 1)} {where}".rstrip()
    if where:
        yield where
    if isinstance(seconds, (int, float)):
        yield f"{number(round(seconds, 1))} s"
