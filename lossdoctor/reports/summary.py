"""What the reports of one run come down to, and the order and words that the formats share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from ..records import Finding, Report, Severity, Verdict


def worst_verdict(reports: Iterable[Report]) -> Verdict:
    """Return the worst verdict; pass where there is no report."""
    return max((report.verdict for report in reports), key=lambda verdict: verdict.rank, default=Verdict.PASS)


def by_severity(findings: Iterable[Finding]) -> list[Finding]:
    """Return the findings, most severe first, then by code."""
    return sorted(findings, key=lambda finding: (finding.severity.rank, finding.code))


def causes_and_symptoms(findings: Sequence[Finding]) -> list[tuple[Finding, list[Finding]]]:
    """Return the findings, most severe first, each with those that it explains.

    A finding whose explanation is not in the report stands for itself.
    """
    ordered = by_severity(findings)
    explainers = {(finding.objective, finding.code) for finding in ordered if finding.explained_by is None}
    causes: list[Finding] = []
    symptoms: dict[tuple[str, str | None], list[Finding]] = {}
    for finding in ordered:
        explainer = (finding.objective, finding.explained_by)
        (symptoms.setdefault(explainer, []) if explainer in explainers else causes).append(finding)
    return [(cause, symptoms.pop((cause.objective, cause.code), [])) for cause in causes]


def counted(reports: Sequence[Report]) -> str:
    """Return how much was found: "1 error, 2 warnings"."""
    counts = Counter(finding.severity for report in reports for finding in report.findings)
    failures = sum(len(report.failures) for report in reports)
    named = [plural(failures, "problem")] if failures else []
    named += [plural(counts[level], level.value) for level in Severity if counts[level]]
    return ", ".join(named) or "no findings"


def plural(count: int, noun: str) -> str:
    """Return a count and its noun: "1 config", "3 configs", "2 batches"."""
    ending = "" if count == 1 else "es" if noun.endswith("ch") else "s"
    return f"{count} {noun}{ending}"
