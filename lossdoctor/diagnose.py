"""Run the rules over a case, and tell causes from symptoms."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from .records import Finding, Severity, Skipped
from .rules import registry
from .rules.base import Case, Rule


def diagnose(
    case: Case, select: Sequence[str] = (), ignore: Sequence[str] = ()
) -> tuple[tuple[Finding, ...], tuple[Skipped, ...]]:
    """Return the findings, most severe first, and the rules that could not be evaluated.

    `select` and `ignore` are codes or prefixes of codes; an empty selection means all.
    """
    findings: list[Finding] = []
    skipped: list[Skipped] = []
    for rule in _chosen(case, select, ignore):
        if (reason := _missing(case, rule)) is not None:
            skipped.append(Skipped(rule.code, reason))
        else:
            findings += rule.check(case)
    return tuple(sorted(explain(findings), key=_order)), tuple(skipped)


def explain(findings: Iterable[Finding]) -> list[Finding]:
    """Turn every symptom that a harmful cause accounts for into a note that names the cause."""
    findings = list(findings)
    return [_explained(finding, findings) for finding in findings]


def _explained(symptom: Finding, findings: Sequence[Finding]) -> Finding:
    causes = [cause for cause in findings if _accounts_for(cause, symptom) and not _accounts_for(symptom, cause)]
    if not causes:
        return symptom
    cause = min(causes, key=_order)
    return replace(symptom, severity=Severity.NOTE, explained_by=cause.code)


def _accounts_for(cause: Finding, symptom: Finding) -> bool:
    # A cause without a harmful effect, a note, cannot be what harms something else, and a warning cannot excuse an error.
    harmful = cause.severity.at_least(Severity.WARNING) and cause.severity.at_least(symptom.severity)
    if cause.objective != symptom.objective or not harmful:
        return False
    rule = registry()[cause.code]
    own = set(symptom.components) <= set(cause.components)
    return symptom.code in (rule.explains if own else rule.overshadows)


def _chosen(case: Case, select: Sequence[str], ignore: Sequence[str]) -> list[Rule]:
    options: dict[str, Any] = dict(case.config.rules.options) if case.config else {}
    wanted = tuple(select) or ("LD",)
    return [
        rule(**options.get(code, {}))
        for code, rule in registry().items()
        if code.startswith(wanted) and not code.startswith(tuple(ignore))
    ]


def _missing(case: Case, rule: Rule) -> str | None:
    """Return why a rule cannot be evaluated, None where it can."""
    for fact in rule.requires:
        if fact in ("config", "trial"):
            if getattr(case, fact) is None:
                return f"needs a {fact}"
        elif case.examination is None:
            return "needs a measurement"
        elif getattr(case.examination, fact) is None:
            return case.examination.skipped.get(fact, f"{fact} were not measured")
    return None


def _order(finding: Finding) -> tuple[int, str, str, tuple[str, ...]]:
    return finding.severity.rank, finding.code, finding.objective, finding.components
