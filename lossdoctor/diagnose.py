"""Run the rules over a case, and tell causes from symptoms."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from .records import Finding, Severity, Skipped
from .rules import registry
from .rules.base import Case, Rule
from .rules.ld904_unused_suppression import UnusedSuppression
from .suppression import Acceptance, acceptances, ignored, remaining


def diagnose(
    case: Case, select: Sequence[str] = (), ignore: Sequence[str] = ()
) -> tuple[tuple[Finding, ...], tuple[Skipped, ...]]:
    """Return the findings, most severe first, and the rules that could not be evaluated.

    `select` and `ignore` are codes or prefixes of codes; an empty selection means all. Ignored rules are evaluated all
    the same, to tell which of them are ignored for nothing.
    """
    evaluations = [_evaluate(rule, case) for rule in selected_rules(select)]
    chosen = [evaluation for evaluation in evaluations if not evaluation.code.startswith(tuple(ignore))]
    codes = {evaluation.code for evaluation in chosen}
    accepted = list(acceptances(case))
    explained = explain(finding for evaluation in chosen for finding in evaluation.findings)
    findings = remaining(explained, accepted)
    if UnusedSuppression.code in codes:
        off = [finding for each in evaluations if each.code not in codes for finding in each.findings]
        settled = {each.code for each in evaluations if each.settled}
        findings += _unused([*accepted, *ignored(case, ignore)], [*explained, *off], settled)
    skipped = tuple(each.skipped for each in chosen if each.skipped)
    return tuple(sorted(findings, key=_order)), skipped


@dataclass(frozen=True)
class _Evaluation:
    """What became of one rule."""

    code: str
    findings: tuple[Finding, ...]
    skipped: Skipped | None  #: why it could not be evaluated
    settled: bool  #: whether no finding means no fault


def _evaluate(rule_class: type[Rule], case: Case) -> _Evaluation:
    """Evaluate a rule: by what was measured, or else by what is expected."""
    reason = _missing(case, rule_class)
    if reason is not None and (rule_class.check_expected is Rule.check_expected or case.expected is None):
        return _not_evaluated(rule_class.code, reason)
    options: Mapping[str, Any] = case.config.rules.options if case.config else {}
    rule = rule_class(**options.get(rule_class.code, {}))
    found = rule.check(case) if reason is None or case.expected is None else rule.check_expected(case, case.expected)
    settled = ("measurement" if case.examination else "config") in rule.settled_by
    return _Evaluation(rule.code, tuple(found), None, settled)


@lru_cache
def _not_evaluated(code: str, reason: str) -> _Evaluation:
    # One for all: a static check of a thousand configs has tens of thousands of them.
    return _Evaluation(code, (), Skipped(code, reason), settled=False)


def _unused(accepted: Iterable[Acceptance], findings: Sequence[Finding], settled: Container[str]) -> Iterator[Finding]:
    """Yield a note for every acceptance of nothing, where that is known: all its rules were evaluated in full."""
    for acceptance in accepted:
        codes = [code for code in registry() if code.startswith(acceptance.code)]
        if not any(map(acceptance.accepts, findings)) and all(code in settled for code in codes):
            yield UnusedSuppression().unused(acceptance, known=bool(codes))


def explain(findings: Iterable[Finding]) -> list[Finding]:
    """Turn every symptom that a harmful cause accounts for into a note that names the cause.

    The cause named is the root: what is a symptom itself explains nothing.
    """
    findings = list(findings)
    causes = _causes(findings)
    return [_explained(finding, causes) for finding in findings]


_Causes = Mapping[tuple[str, str], Sequence[Finding]]


def _causes(findings: Iterable[Finding]) -> _Causes:
    """Return the harmful findings by the objective and the codes that they may account for."""
    causes: dict[tuple[str, str], list[Finding]] = {}
    for finding in findings:
        rule = registry()[finding.code]
        # A note has no harmful effect, so it cannot be what harms something else.
        for code in {*rule.explains, *rule.overshadows} if finding.severity.at_least(Severity.WARNING) else ():
            causes.setdefault((finding.objective, code), []).append(finding)
    return causes


def _explained(finding: Finding, causes: _Causes) -> Finding:
    root = _root(finding, causes)
    return finding if root is finding else replace(finding, severity=Severity.NOTE, explained_by=root.code)


def _root(finding: Finding, causes: _Causes, symptoms: tuple[Finding, ...] = ()) -> Finding:
    """Follow a finding to the cause that nothing else accounts for; `symptoms` led there and are not asked again.

    Where two account for each other and nothing else does, the one that comes first stands for both: that one component
    dominates and that the others are starved (LD101, LD102) is one effect. Two errors have causes of their own.
    """
    followed = (*symptoms, finding)
    possible = causes.get((finding.objective, finding.code), ())
    others = [other for other in possible if not any(other is each for each in followed)]
    accounting = [other for other in others if _accounts_for(other, finding)]
    independent = [other for other in accounting if not _accounts_for(finding, other)]
    if not independent and finding.severity is not Severity.ERROR:
        independent = [other for other in accounting if _order(other) < _order(finding)]
    return _root(min(independent, key=_order), causes, followed) if independent else finding


def _accounts_for(cause: Finding, symptom: Finding) -> bool:
    # A warning cannot excuse an error, and a note nothing.
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


def _missing(case: Case, rule: type[Rule]) -> str | None:
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
