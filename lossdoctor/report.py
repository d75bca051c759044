"""From facts and findings to a `Report`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from . import __version__
from .config.schema import RulesConfig
from .diagnose import diagnose
from .records import Finding, Report, Severity, Verdict
from .rules.base import Case


def build_report(
    case: Case,
    *,
    command: str,
    config: str,
    environment: Mapping[str, Any],
) -> Report:
    """Diagnose a case and put everything worth showing into a report."""
    rules = case.config.rules if case.config else RulesConfig()
    findings, skipped = diagnose(case, rules.select, rules.ignore)
    return Report(
        command=command,
        config=config,
        verdict=verdict_of(findings),
        objectives=case.objectives,
        findings=findings,
        skipped=skipped,
        environment=environment,
        version=__version__,
    )


def verdict_of(findings: Sequence[Finding]) -> Verdict:
    """Return fail with an error, warn with a warning, else pass."""
    severities = {finding.severity for finding in findings}
    if Severity.ERROR in severities:
        return Verdict.FAIL
    return Verdict.WARN if Severity.WARNING in severities else Verdict.PASS
