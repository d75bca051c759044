"""What the reports of one run come down to, and the order and words that the formats share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from ..records import Finding, Report, Severity, Verdict


def worst_verdict(reports: Iterable[Report]) -> Verdict:
    """Return the worst verdict; pass where there is no report."""
    return max((report.verdict for report in reports), key=lambda verdict: verdict.rank, default=Verdict.PASS)


def has_findings(report: Report) -> bool:
    """Return whether a report has anything to say beside measurements."""
    return bool(report.findings or report.failures)


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


def causes_of(findings: Sequence[Finding]) -> list[Finding | None]:
    """Return, for each of the findings, the one that explains it; None where it stands for itself."""
    pairs = causes_and_symptoms(findings)
    causes = {id(symptom): cause for cause, symptoms in pairs for symptom in symptoms}
    return [causes.get(id(finding)) for finding in findings]


def title(finding: Finding) -> str:
    """Return what a finding is called: "LD201 unnormalized-color-space in lab, ab"."""
    where = f" in {', '.join(finding.components)}" if finding.components else ""
    return f"{finding.code} {finding.name}{where}"


def skipped_by_reason(reports: Iterable[Report]) -> Mapping[str, list[str]]:
    """Return the codes of the rules that could not be evaluated, in some report, by reason."""
    codes: dict[str, set[str]] = {}
    for report in reports:
        for rule in report.skipped:
            codes.setdefault(rule.reason, set()).add(rule.code)
    return {reason: sorted(group) for reason, group in codes.items()}


def counted(reports: Iterable[Report]) -> str:
    """Return how much was found: "1 error, 2 warnings"; configs that could not be used come first.

    What a baseline accepts is not found again, but that there is something to accept is said.
    """
    reports = list(reports)
    counts = Counter(finding.severity for report in reports for finding in report.findings)
    unusable = sum(bool(report.failures) for report in reports)
    named = [f"{plural(unusable, 'config')} not usable"] if unusable else []
    named += [plural(counts[level], level.value) for level in Severity if counts[level]]
    known = sum(report.known for report in reports)
    accepted = f" ({plural(known, 'known finding')} in the baseline)" if known else ""
    return (", ".join(named) or "no findings") + accepted


def plural(count: int, noun: str) -> str:
    """Return a count and its noun: "1 config", "3 configs", "2 batches"."""
    ending = "" if count == 1 else "es" if noun.endswith("ch") else "s"
    return f"{count} {noun}{ending}"
