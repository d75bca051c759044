"""The report for a person: tables of the objectives, findings, what was skipped, and last the verdict."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import StringIO
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.constrain import Constrain
from rich.segment import Segment
from rich.text import Text

from ..printable import in_ascii, printable
from . import rich_style as style
from .number_format import number
from .rich_finding import render_failure, render_finding
from .rich_objective import WIDE, objective_tables
from .rich_trial import trial_sections
from .summary import by_severity, causes_and_symptoms, counted, has_findings, plural, skipped_by_reason, worst_verdict
from .text import LONGEST, shortened, with_strings

if TYPE_CHECKING:
    from ..records import Finding, Report, Severity

#: Reports that are shown with all they say; nobody reads further, and a machine has the other formats.
MOST_IN_FULL = 20

#: Codes of skipped rules that are listed.
MOST_CODES = 12

#: Prose in longer lines is hard to read, however wide the terminal.
LONGEST_LINE = 110


def render_rich(reports: Sequence[Report], *, wide: bool = False) -> Group:
    """Return the reports for `Console.print`; they fit themselves to the console's width, colours and encoding.

    From 110 columns on, or with `wide`, they also show gradient norms, value shares, cosines and spreads. Of several
    reports, those with nothing in them are only counted, and of very many, all but the first are their verdicts.
    """
    return Group(_TerminalReport(tuple(reports), wide))


def render_text(reports: Sequence[Report]) -> str:
    """Return what a terminal of 110 columns would show, as plain text for a file."""
    file = StringIO()
    console = Console(file=file, width=WIDE, color_system=None, legacy_windows=False)
    console.print(render_rich(reports))
    return "".join(f"{line.rstrip()}\n" for line in file.getvalue().splitlines())


@dataclass(frozen=True)
class _TerminalReport:
    """Reports that learn of their terminal when they are printed."""

    reports: tuple[Report, ...]
    wide: bool

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        in_unicode = not (options.ascii_only or options.legacy_windows)
        foreign = printable if in_unicode else in_ascii
        sections = Group(*self._sections(options.max_width, lambda text: foreign(shortened(text, LONGEST))))
        # Laid out in Unicode whatever the terminal: our own glyphs have ASCII stand-ins of the same width.
        layout = dataclasses.replace(options, encoding="utf-8", legacy_windows=False)
        for segment in console.render(sections, layout):
            text = segment.text if in_unicode else style.ascii_glyphs(segment.text)
            yield Segment(text, None if console.no_color else segment.style)

    def _sections(self, width: int, clean: Callable[[str], str]) -> Iterator[RenderableType]:
        """Yield what is shown, with foreign strings made fit for it."""
        # No more is cleaned than is shown: all that most of a thousand reports hold is the same skipped rules.
        alone = len(self.reports) == 1
        telling = tuple(dataclasses.replace(each, skipped=()) for each in self.reports if alone or has_findings(each))
        reports = with_strings(telling, clean)
        yield from (_report(reports[0], width, wide=self.wide) if alone else _several(reports, width, wide=self.wide))
        yield from _skipped(with_strings(skipped_by_reason(self.reports), clean))
        yield from _advice([finding for report in reports for finding in report.findings])
        yield _verdict(reports[0], width) if alone else _summary(self.reports)


def _several(reports: Sequence[Report], width: int, *, wide: bool) -> Iterator[RenderableType]:
    for report in reports[:MOST_IN_FULL]:
        yield from _report(report, width, wide=wide)
        yield _verdict(report, width)
        yield ""
    for report in reports[MOST_IN_FULL:]:
        yield _verdict(report, width)


def _report(report: Report, width: int, *, wide: bool) -> Iterator[RenderableType]:
    for failure in report.failures:
        yield Constrain(render_failure(failure, report.config), LONGEST_LINE)
        yield ""
    for objective in report.objectives:
        marks = _marks(report.findings, objective.name)
        for table in objective_tables(objective, marks, width=width, wide=wide):
            yield table
            yield ""
    for section in trial_sections(report.trial) if report.trial else ():
        yield section
        yield ""
    for finding, symptoms in causes_and_symptoms(report.findings):
        yield Constrain(render_finding(finding, symptoms, objectives=len(report.objectives)), LONGEST_LINE)
        yield ""


def _marks(findings: Sequence[Finding], objective: str) -> Mapping[str, Severity]:
    """Return the worst severity at which a finding names each component."""
    marks: dict[str, Severity] = {}
    for finding in by_severity(findings)[::-1]:
        if finding.objective == objective:
            marks.update(dict.fromkeys(finding.components, finding.severity))
    return marks


def _skipped(codes_by_reason: Mapping[str, Sequence[str]]) -> Iterator[RenderableType]:
    """Yield one line: the codes that share a reason, then the reason."""
    groups = [f"{_codes(codes)} ({reason})" for reason, codes in codes_by_reason.items()]
    if groups:
        yield Constrain(Text(f"skipped: {'; '.join(groups)}"), LONGEST_LINE)


def _codes(codes: Sequence[str]) -> str:
    """Return the codes, or how many there are: a static check cannot evaluate most rules, and all reports have them."""
    return ", ".join(codes) if len(codes) <= MOST_CODES else f"{len(codes)} rules from {codes[0]} to {codes[-1]}"


def _advice(findings: Sequence[Finding]) -> Iterator[Text]:
    for finding in by_severity(findings)[:1]:
        yield Text.assemble("next: ", (f"lossdoctor rule {finding.code}", style.HEADER), " explains ", finding.name)


def _verdict(report: Report, width: int) -> Text:
    """Return the verdict in one line: where it is too long, the config's folder goes first, then its end."""
    mark = style.VERDICT_MARKS[report.verdict]
    circumstances = list(_circumstances(report.environment))
    counts = counted([report])
    by_name = [counts, _subject(report.command, PurePath(report.config).name), *circumstances]
    candidates = [
        [counts, _subject(report.command, report.config), *circumstances],
        *(by_name[:length] for length in range(len(by_name), 0, -1)),
    ]
    fitting = (parts for parts in candidates if cell_len(f"{mark} {' · '.join(parts)}") <= width)
    rest = "".join(f" · {part}" for part in next(fitting, [counts])[1:])
    return Text.assemble((f"{mark} {counts}", style.VERDICT_STYLES[report.verdict]), rest)


def _summary(reports: Sequence[Report]) -> Text:
    """Return the verdict on several configs in one line; nothing in it is foreign."""
    verdict = worst_verdict(reports)
    telling = sum(map(has_findings, reports))
    where = f" · {plural(len(reports), 'config')}" + (f", {telling} of them with findings" if telling else "")
    return Text.assemble((f"{style.VERDICT_MARKS[verdict]} {counted(reports)}", style.VERDICT_STYLES[verdict]), where)


def _subject(command: str, config: str) -> str:
    return f"{command} {config}" if config else command


def _circumstances(environment: Mapping[str, Any]) -> Iterator[str]:
    batches, device, seconds = (environment.get(key) for key in ("batches", "device", "seconds"))
    where = f"on {device}" if device else ""
    if batches:
        where = f"{plural(batches, 'batch')} {where}".rstrip()
    if where:
        yield where
    if isinstance(seconds, (int, float)):
        yield f"{number(round(seconds, 1))} s"
