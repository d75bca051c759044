"""From facts and findings, or from what kept them away, to a `Report`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from . import __version__
from .config.schema import RulesConfig
from .diagnose import diagnose
from .errors import ConfigError, LossDoctorError, Problem
from .records import Failure, Finding, Location, Report, Severity, Verdict
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
        trial=case.trial,
        version=__version__,
        known=len(case.baseline.findings) if case.baseline else 0,
    )


def verdict_of(findings: Sequence[Finding]) -> Verdict:
    """Return fail with an error, warn with a warning, else pass."""
    severities = {finding.severity for finding in findings}
    if Severity.ERROR in severities:
        return Verdict.FAIL
    return Verdict.WARN if Severity.WARNING in severities else Verdict.PASS


def failed_report(error: LossDoctorError, *, command: str, config: str) -> Report:
    """Return the report on a config that could not be used, for commands that go on with the next one."""
    return Report(
        command=command,
        config=config,
        verdict=Verdict.ERROR,
        objectives=(),
        findings=(),
        skipped=(),
        environment={},
        version=__version__,
        failures=failures_of(error),
    )


def failures_of(error: LossDoctorError) -> tuple[Failure, ...]:
    """Return what an error says as records: one for each problem of a config, else a single one."""
    if isinstance(error, ConfigError):
        return tuple(map(_failure, error.problems))
    return (Failure(error.message, advice=error.advice),)


def _failure(problem: Problem) -> Failure:
    message = f"expected {problem.expected}, found {problem.found}"
    return Failure(message, problem.key, problem.advice, Location(problem.file, problem.line, problem.column))
