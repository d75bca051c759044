"""The report as SARIF 2.1.0, for code scanning: https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html.

Section numbers below are those of that specification.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePath
from typing import Any
from urllib.parse import quote

from .. import __version__
from ..printable import printable
from ..records import Failure, Finding, Location, Report, Severity
from .json_text import json_line, json_text
from .places import place_of, relative_path
from .sarif_rules import rule_descriptors
from .summary import causes_of, skipped_by_reason, title

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
ROOT = "%SRCROOT%"

#: Results that GitHub takes of one run; it refuses a file with more.
#: https://docs.github.com/en/code-security/code-scanning/integrating-with-code-scanning/sarif-support-for-code-scanning
MOST_RESULTS = 25_000

UNUSABLE, NOT_EVALUATED, LEFT_OUT = "unusable-config", "not-evaluated", "left-out"
_NOTIFICATIONS = {
    UNUSABLE: "A config that could not be used.",
    NOT_EVALUATED: "A rule that could not be evaluated: skipped is not passed.",
    LEFT_OUT: "Results that are more than code scanning takes.",
}


def render_sarif(reports: Sequence[Report]) -> str:
    """Return a SARIF log of one run: findings are results, what kept a config from being used are notifications."""
    rules = rule_descriptors(reports)
    indices = {rule["id"]: index for index, rule in enumerate(rules)}
    results = [result for report in reports for result in _results(report, indices)]
    shown = _worst(results)
    descriptions = [{"id": name, "shortDescription": {"text": text}} for name, text in _NOTIFICATIONS.items()]
    driver = {"name": "lossdoctor", "version": __version__, "rules": rules, "notifications": descriptions}
    run = {
        "tool": {"driver": driver},
        "invocations": [_invocation(reports, indices, left_out=len(results) - len(shown))],
        "originalUriBaseIds": {ROOT: {"description": {"text": "The folder in which lossdoctor was run."}}},
        "columnKind": "unicodeCodePoints",
        "results": shown,
    }
    return json_text({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]})


def _worst(results: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return what code scanning takes: all results in their order, or the most severe of too many."""
    if len(results) <= MOST_RESULTS:
        return results
    return sorted(results, key=lambda result: Severity(result["level"]).rank)[:MOST_RESULTS]


def _invocation(reports: Sequence[Report], indices: Mapping[str, int], left_out: int) -> dict[str, Any]:
    return {
        "executionSuccessful": not any(report.failures for report in reports),
        "toolExecutionNotifications": [*_notifications(reports, indices), *_cut(left_out)],
    }


def _cut(left_out: int) -> Iterator[dict[str, Any]]:
    if left_out:
        text = (
            f"{left_out:,} of the least severe results are left out: code scanning takes {MOST_RESULTS:,} of one run."
        )
        yield {"descriptor": {"id": LEFT_OUT}, "level": "warning", "message": {"text": text}}


def _results(report: Report, indices: Mapping[str, int]) -> Iterator[dict[str, Any]]:
    seen: Counter[str] = Counter()
    for finding, cause in zip(report.findings, causes_of(report.findings), strict=True):
        identity = _identity(finding, report)
        yield _result(finding, cause, report) | {
            "ruleIndex": indices[finding.code],
            "partialFingerprints": {"lossdoctorFinding/v1": f"{identity}:{seen[identity]}"},
        }
        seen[identity] += 1


def _result(finding: Finding, cause: Finding | None, report: Report) -> dict[str, Any]:
    return {
        "ruleId": finding.code,
        "level": finding.severity.value,
        "message": {"text": _message(finding.message, finding.remedy)},
        "locations": [place | _components(finding) for place in _locations(place_of(finding, report))],
        "relatedLocations": _related(cause, report) if cause else [],
        "properties": {
            "config": report.config,
            "objective": finding.objective,
            "components": finding.components,
            "evidence": finding.evidence,
            "remedy": finding.remedy,
            "explained_by": finding.explained_by,
            "fix": finding.fix,
        },
    }


def _components(finding: Finding) -> dict[str, Any]:
    qualified = [(name, f"{finding.objective}.{name}") for name in finding.components]
    return {"logicalLocations": [{"name": name, "fullyQualifiedName": full} for name, full in qualified]}


def _identity(finding: Finding, report: Report) -> str:
    """Return what stays the same when lines move and measured numbers, which may order components, change."""
    parts = [relative_path(report.config), finding.code, finding.objective, sorted(finding.components)]
    return hashlib.sha256(json_line(parts).encode()).hexdigest()


def _related(cause: Finding, report: Report) -> list[dict[str, Any]]:
    message = {"text": _text(f"Explained by {title(cause)}.")}
    return [location | {"id": 1, "message": message} for location in _locations(place_of(cause, report))]


def _notifications(reports: Sequence[Report], indices: Mapping[str, int]) -> Iterator[dict[str, Any]]:
    for report in reports:
        for failure in report.failures:
            yield _unusable(failure, report)
    for reason, codes in skipped_by_reason(reports).items():
        for code in codes:
            yield _not_evaluated(code, reason, indices)


def _unusable(failure: Failure, report: Report) -> dict[str, Any]:
    subject = f"{failure.key}: " if failure.key else ""
    return {
        "descriptor": {"id": UNUSABLE},
        "level": "error",
        "message": {"text": _message(f"{subject}{failure.message}", failure.advice)},
        "locations": _locations(place_of(failure, report)),
        "properties": {"config": report.config, "key": failure.key, "advice": failure.advice},
    }


def _not_evaluated(code: str, reason: str, indices: Mapping[str, int]) -> dict[str, Any]:
    rule = {"id": code, "index": indices[code]} if code in indices else {"id": code}
    return {
        "descriptor": {"id": NOT_EVALUATED},
        "associatedRule": rule,
        "level": "note",
        "message": {"text": _text(f"{code} was not evaluated: {reason}")},
    }


def _locations(place: Location) -> list[dict[str, Any]]:
    """Return a place as SARIF has it: no region for a file as a whole, nothing at all without a file."""
    if not place.file:
        return []
    region = {"region": {"startLine": place.line, "startColumn": place.column}} if place.line else {}
    return [{"physicalLocation": {"artifactLocation": _artifact(place.file), **region}}]


def _artifact(file: str) -> dict[str, Any]:
    # Of a lone surrogate only that it was there can be kept: a URI holds UTF-8.
    path = quote(file, errors="surrogatepass")
    if PurePath(file).is_absolute():
        return {"uri": f"file:///{path.lstrip('/')}"}
    return {"uri": path, "uriBaseId": ROOT}


def _message(text: str, advice: str) -> str:
    return f"{_text(text)}\n\n{_text(advice)}" if advice else _text(text)


def _text(text: str) -> str:
    """Return foreign text as a plain text message: no embedded link (3.11.6), no placeholder (3.11.5)."""
    return re.sub(r"\{(\d+)\}", r"{{\1}}", printable(text).replace("](", "] ("))
