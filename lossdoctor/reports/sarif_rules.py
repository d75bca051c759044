"""The rules as SARIF describes them: what a code-scanning page shows beside a finding."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from ..rules import registry

if TYPE_CHECKING:
    from ..records import Finding, Report
    from ..rules.base import Rule


def rule_descriptors(reports: Sequence[Report]) -> list[dict[str, Any]]:
    """Return a `reportingDescriptor` (SARIF 2.1.0, 3.49) of every rule, in the order of the codes.

    A report that was made by another version may know rules that this one does not: those have no manual page.
    """
    known = [_described(rule) for rule in registry().values()]
    unknown = {finding.code: _named(finding) for finding in _findings(reports) if finding.code not in registry()}
    return known + list(unknown.values())


def _findings(reports: Iterable[Report]) -> Iterable[Finding]:
    return (finding for report in reports for finding in report.findings)


def _described(rule: type[Rule]) -> dict[str, Any]:
    manual = rule.manual()
    summary, *paragraphs = [" ".join(paragraph.split()) for paragraph in manual.split("\n\n")]
    return {
        "id": rule.code,
        "name": rule.name,
        "shortDescription": {"text": summary},
        "fullDescription": {"text": paragraphs[0] if paragraphs else summary},
        "help": {"text": manual, "markdown": manual},
        "defaultConfiguration": {"level": rule.severity.value},
    }


def _named(finding: Finding) -> dict[str, Any]:
    return {"id": finding.code, "name": finding.name, "shortDescription": {"text": finding.name}}
