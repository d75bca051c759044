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
        found, reason = _evaluate(rule, case)
        findings += found
        skipped += [Skipped(rule.code, reason)] if reason else []
    return tuple(sorted(explain(findings), key=_order)), tuple(skipped)


def _evaluate(rule: Rule, case: Case) -> tuple[Iterable[Finding], str | None]:
    """Return what a rule finds, measured or else expected, and why it could not be evaluated."""
    reason = _missing(case, rule)
    if reason is None:
        return rule.check(case), None
    found = rule.check_expected(case, case.expected) if case.expected else None
    return ((), reason) if found is None else (found, None)


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
    """Follow a finding to the cause that nothing else accounts for.

    Where two account for each other and nothing else does, the one that comes first stands for both: that one component
    dominates and that the others are starved (LD101, LD102) is one effect. Two errors have causes of their own.
    """
    others = [other for other in findings if other is not finding]
    accounting = [other for other in others if _accounts_for(other, finding)]
    causes = [other for other in accounting if not _accounts_for(finding, other)]
    if not causes and finding.severity is not Severity.ERROR:
        causes = [other for other in accounting if _order(other) < _order(finding)]
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
        if fact in ("config", "trial"):
            if getattr(case, fact) is None:
                return f"needs a {fact}"
        elif case.examination is None:
            return "needs a measurement"
        elif getattr(case.examination, fact) is None:
            return case.examination.skipped.get(fact, f"{fact}: not measured")
    return None


def _order(finding: Finding) -> tuple[int, str, str, tuple[str, ...]]:
    return finding.severity.rank, finding.code, finding.objective, finding.components
