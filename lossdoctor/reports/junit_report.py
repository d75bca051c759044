"""The report as JUnit XML, for the test pages of CI servers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import PurePath
from xml.etree import ElementTree as ET

from ..printable import printable
from ..records import Failure, Finding, Report, Severity
from .details import details, failure_text
from .places import place_of, shown_place
from .summary import skipped_by_reason, title
from .text import with_strings

_OUTCOMES = ("failure", "error", "skipped")


def render_junit(reports: Sequence[Report]) -> str:
    """Return a test suite for each config and in it a test case for each finding, so that a page counts findings.

    A finding at the level `error` fails; warnings and notes pass, with what there is to say as output. What kept a
    config from being used is an error, rules that could not be evaluated are skipped, in one case
    for each reason, a config without any passes.
    """
    # XML cannot hold control characters, not even escaped: their escapes in Python's form are text like any other.
    suites = [_suite(report) for report in with_strings(tuple(reports), printable)]
    root = ET.Element("testsuites", {"name": "lossdoctor"} | _counts([case for suite in suites for case in suite]))
    root.extend(suites)
    ET.indent(root)
    return f'<?xml version="1.0" encoding="utf-8"?>\n{ET.tostring(root, encoding="unicode")}\n'


def _suite(report: Report) -> ET.Element:
    cases = list(_cases(report)) or [ET.Element("testcase", name="no findings")]
    seconds = report.environment.get("seconds")
    time = {"time": f"{seconds:.3f}"} if isinstance(seconds, (int, float)) else {}
    suite = ET.Element("testsuite", {"name": report.config} | _counts(cases) | time)
    for case in cases:
        case.set("classname", _class_name(report.config))
        case.set("time", "0")
        suite.append(case)
    return suite


def _counts(cases: Sequence[ET.Element]) -> dict[str, str]:
    tags = [child.tag for case in cases for child in case]
    counts = {f"{outcome}s" if outcome != "skipped" else outcome: tags.count(outcome) for outcome in _OUTCOMES}
    return {name: str(count) for name, count in ({"tests": len(cases)} | counts).items()}


def _class_name(config: str) -> str:
    """Return the path without its suffix: servers take what follows the last dot for the name of a class."""
    path = PurePath(config)
    return (path.parent / path.stem).as_posix()


def _cases(report: Report) -> Iterator[ET.Element]:
    for failure in report.failures:
        yield _error(failure, report)
    for finding in report.findings:
        yield _finding(finding, report)
    for reason, codes in skipped_by_reason([report]).items():
        case = ET.Element("testcase", name=f"not evaluated: {reason}")
        ET.SubElement(case, "skipped", message=", ".join(codes))
        yield case


def _error(failure: Failure, report: Report) -> ET.Element:
    case = ET.Element("testcase", name=f"config: {failure.key}" if failure.key else "config")
    error = ET.SubElement(case, "error", message=failure_text(failure), type="unusable-config")
    error.text = "\n".join([shown_place(place_of(failure, report)), failure_text(failure), failure.advice])
    return case


def _finding(finding: Finding, report: Report) -> ET.Element:
    case = ET.Element("testcase", name=title(finding))
    said = [f"{finding.severity.value}: {finding.message}", *(_labelled(*entry) for entry in details(finding, report))]
    if finding.severity is Severity.ERROR:
        failure = ET.SubElement(case, "failure", message=finding.message, type=finding.code)
        failure.text = "\n".join([finding.message, shown_place(place_of(finding, report)), finding.remedy])
    ET.SubElement(case, "system-out").text = "\n".join(said)
    return case


def _labelled(label: str, lines: Sequence[str]) -> str:
    return f"{label}: {lines[0]}" if len(lines) == 1 else "\n  ".join([f"{label}:", *lines])
