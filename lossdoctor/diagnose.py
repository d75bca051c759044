"""Run the rules over a case, and tell causes from symptoms."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
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
    options: Mapping[str, Any] = case.config.rules.options if case.config else {}
    for rule_class in selected_rules(select, ignore):
        rule = rule_class(**options.get(rule_class.code, {}))
        if (reason := _missing(case, rule)) is not None:
            skipped.append(Skipped(rule.code, reason))
        else:
            findings += rule.check(case)
    return tuple(sorted(explain(findings), key=_order)), tuple(skipped)


def explain(findings: Iterable[Finding]) -> list[Finding]:
    """Turn every symptom that a harmful cause accounts for into a note that names the cause.

    The cause named is the root: what is a symptom itself explains nothing.
    """
    findings = list(findings)
    return [_explained(finding, findings) for finding in findings]


def _explained(finding: Finding, findings: Sequence[Finding]) -> Finding:
    root = _root(finding, findings)
    return finding if root is finding else replace(finding, severity=Severity.NOTE, explained_by=root.code)


def _root(finding: Finding, findings: Sequence[Finding]) -> Finding:
    """Follow a finding to the cause that nothing else accounts for; two that account for each other both stand."""
    others = [other for other in findings if other is not finding]
    causes = [cause for cause in others if _accounts_for(cause, finding) and not _accounts_for(finding, cause)]
    return _root(min(causes, key=_order), others) if causes else finding


def _accounts_for(cause: Finding, symptom: Finding) -> bool:
    # A note has no harmful effect, so it cannot be what harms something else; a warning cannot excuse an error.
    harmful = cause.severity.at_least(Severity.WARNING) and cause.severity.at_least(symptom.severity)
    if cause.objective != symptom.objective or not harmful:
        return False
    rule = registry()[cause.code]
    own = set(symptom.components) <= set(cause.components)
    return symptom.code in (rule.explains if own else rule.overshadows)


def selected_rules(select: Sequence[str] = (), ignore: Sequence[str] = ()) -> list[type[Rule]]:
    """Return the rules that are selected and not ignored, in the order of their codes."""
    wanted, unwanted = tuple(select) or ("",), tuple(ignore)
    return [rule for code, rule in registry().items() if code.startswith(wanted) and not code.startswith(unwanted)]


def _missing(case: Case, rule: Rule) -> str | None:
    """Return why a rule cannot be evaluated, None where it can."""
    for fact in rule.requires:
        kind, _, part = fact.partition(".")
        if kind in ("config", "trial"):
            if getattr(case, kind) is None:
                return f"needs a {kind}"
            if case.trial is not None and part and getattr(case.trial, part) is None:
                return case.trial.skipped.get(part, f"{part}: not part of this trial")
        elif case.examination is None:
            return "needs a measurement"
        elif getattr(case.examination, fact) is None:
            return case.examination.skipped.get(fact, f"{fact}: not measured")
    return None


def _order(finding: Finding) -> tuple[int, str, str, tuple[str, ...]]:
    return finding.severity.rank, finding.code, finding.objective, finding.components
