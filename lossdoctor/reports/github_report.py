"""The report as GitHub annotations: workflow commands that show a finding beside the line of the change.

https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..printable import printable
from ..records import Location, Report, Severity
from .details import failure_text
from .places import place_of
from .summary import title

_COMMANDS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.NOTE: "notice"}


def render_github(reports: Sequence[Report]) -> str:
    """Return a line for each finding, the most severe first: GitHub shows ten of each kind for a step.

    Rules that could not be evaluated are no annotation: nobody could correct that at a line.
    """
    failures = [
        _command("error", place_of(failure, report), "config not usable", failure_text(failure), failure.advice)
        for report in reports
        for failure in report.failures
    ]
    return "".join(f"{line}\n" for line in (*failures, *_findings(reports)))


def _findings(reports: Sequence[Report]) -> Iterator[str]:
    found = [(finding, report) for report in reports for finding in report.findings]
    for finding, report in sorted(found, key=lambda pair: pair[0].severity.rank):
        command, place = _COMMANDS[finding.severity], place_of(finding, report)
        because = f"Explained by {finding.explained_by}." if finding.explained_by else ""
        yield _command(command, place, title(finding), finding.message, finding.remedy, because)


def _command(command: str, place: Location, title: str, *paragraphs: str) -> str:
    line = {"line": place.line, "col": place.column} if place.line else {}
    properties = {**({"file": place.file} if place.file else {}), **line, "title": title}
    named = ",".join(f"{key}={_property(str(value))}" for key, value in properties.items())
    return f"::{command} {named}::" + "%0A".join(_data(text) for text in paragraphs if text)


def _data(text: str) -> str:
    return printable(text).replace("%", "%25")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
