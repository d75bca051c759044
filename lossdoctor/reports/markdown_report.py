"""The report as GitHub-flavoured Markdown, for a comment on a pull request or the summary of a job."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from ..printable import printable
from ..records import ComponentReport, Failure, Finding, ObjectiveReport, Report, Severity, Verdict
from .details import details, failure_text
from .number_format import number, percent
from .places import place_of, shown_place
from .summary import causes_and_symptoms, counted, has_findings, plural, skipped_by_reason, title, worst_verdict

VERDICT_MARKS = {Verdict.ERROR: "✗", Verdict.FAIL: "✗", Verdict.WARN: "!", Verdict.PASS: "✓"}
SEVERITY_MARKS = {Severity.ERROR: "✗", Severity.WARNING: "!", Severity.NOTE: "·"}

#: Characters that a comment on GitHub holds (65,536), less what others may put around the report.
LONGEST = 60_000

#: What GitHub's Markdown and HTML read as markup inside a line; other signs keep the text readable as it is. A
#: underscore inside a word and a colon before a blank mean nothing, a bracket does only where a link goes on.
_SIGNS = re.compile(r"[&<`*|~$\\]|(?<![^\W_])_|_(?![^\W_])|:(?!\s|$)|\](?=[(\[:])|(?<=www)\.", re.IGNORECASE)
_MENTION = re.compile(r"([@#])(?=\w)")


def render_markdown(reports: Sequence[Report]) -> str:
    """Return the verdict, then for each config its components as a table and its findings, details folded away.

    Configs with nothing to say are only counted. What would not fit into a comment is left out, and counted.
    """
    telling = [report for report in reports if has_findings(report) or report.objectives]
    telling.sort(key=lambda report: -report.verdict.rank)
    end = list(_skipped(reports))
    blocks, left_out = _fitting(["\n\n".join(_report(report)) for report in telling], LONGEST - len("".join(end)))
    if left_out:
        end.insert(0, f"{plural(left_out, 'config')} more with findings: a comment does not hold them all.")
    return "\n\n".join([_verdict(reports), *blocks, *end]) + "\n"


def _fitting(blocks: list[str], limit: int) -> tuple[list[str], int]:
    """Return as many blocks from the beginning as fit, and the number of those that do not."""
    length = 0
    for index, block in enumerate(blocks):
        length += len(block)
        if length > limit:
            return blocks[:index], len(blocks) - index
    return blocks, 0


def _verdict(reports: Sequence[Report]) -> str:
    where = f" in {plural(len(reports), 'config')}" if len(reports) != 1 else ""
    return f"## {VERDICT_MARKS[worst_verdict(reports)]} lossdoctor: {counted(reports)}{where}"


def _report(report: Report) -> Iterator[str]:
    yield f"### {VERDICT_MARKS[report.verdict]} {_code(report.config or report.command)}"
    yield from (_failure(failure, report) for failure in report.failures)
    yield from (_components(objective, named=len(report.objectives) > 1) for objective in report.objectives)
    for cause, symptoms in causes_and_symptoms(report.findings):
        yield _finding(cause, symptoms, report)


def _failure(failure: Failure, report: Report) -> str:
    advice = f" → {_text(failure.advice)}" if failure.advice else ""
    return f"{_code(shown_place(place_of(failure, report)))}: {_text(failure_text(failure))}{advice}"


def _components(objective: ObjectiveReport, *, named: bool) -> str:
    rows = [
        [_text(objective.name) if named else "component", "weight", "value", "weighted value", "gradient share"],
        ["---", *["---:"] * 4],
        *map(_component, objective.components),
        ["total", "", "", number(objective.value), ""],
    ]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _component(component: ComponentReport) -> list[str]:
    numbers = [number(component.weight), number(component.value), number(component.weighted_value)]
    share = percent(component.grad_share) if component.attached else "no gradient"
    return [_code(component.name), *numbers, _text(share)]


def _finding(finding: Finding, symptoms: Sequence[Finding], report: Report) -> str:
    """Return a finding as HTML in one block: no blank line in it, so nothing inside is read as Markdown."""
    rows = [_row(label, lines) for label, lines in details(finding, report)]
    rows += [_row("explains", [_symptom(symptom, report)]) for symptom in symptoms]
    mark = SEVERITY_MARKS[finding.severity]
    summary = f"{mark} {finding.severity.value} <b>{_text(title(finding))}</b><br>{_text(finding.message)}"
    return "\n".join(["<details>", f"<summary>{summary}</summary>", "<table>", *rows, "</table>", "</details>"])


def _symptom(symptom: Finding, report: Report) -> str:
    place = shown_place(place_of(symptom, report))
    return f"{symptom.severity.value} {title(symptom)}: {symptom.message} ({place})"


def _row(label: str, lines: Sequence[str]) -> str:
    return f"<tr><td>{label}</td><td>{'<br>'.join(map(_text, lines))}</td></tr>"


def _skipped(reports: Sequence[Report]) -> Iterator[str]:
    rows = [_row(_text(", ".join(codes)), [reason]) for reason, codes in skipped_by_reason(reports).items()]
    if rows:
        summary = "<summary>rules that could not be evaluated</summary>"
        yield "\n".join(["<details>", summary, "<table>", *rows, "</table>", "</details>"])


def _code(text: str) -> str:
    return f"<code>{_text(text)}</code>"


def _text(text: str) -> str:
    """Return foreign text as nothing but text: in a paragraph, in a cell of a table and inside HTML alike.

    It must not begin a line. Markup becomes character references, which cannot be markup. Mentions (`@name`) and
    references (`#1`) are looked for when those are resolved: a zero-width space breaks them.
    """
    unlinked = _MENTION.sub("\\1\u200b", printable(text))
    return _SIGNS.sub(lambda sign: f"&#{ord(sign[0])};", unlinked)
