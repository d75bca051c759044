"""The report as JSON, for scripts: the schema `lossdoctor/1`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from .. import __version__
from .json_text import json_text, plain
from .summary import worst_verdict

if TYPE_CHECKING:
    from ..records import Report

SCHEMA = "lossdoctor/1"


def render_json(reports: Sequence[Report]) -> str:
    """Return one JSON object: keys in a fixed order, numbers that are not finite as null.

    The report of a command on one config is that object. The reports of `check`, however many, are its `reports`.
    """
    alone = len(reports) == 1 and reports[0].command != "check"
    return json_text(report_document(reports[0]) if alone else _envelope(reports))


def _envelope(reports: Sequence[Report]) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "version": __version__,
        "command": "check",
        "verdict": worst_verdict(reports).value,
        "reports": [report_document(report) | _of_check(report) for report in reports],
    }


def _of_check(report: Report) -> dict[str, Any]:
    return {"failures": plain(report.failures), "known_findings": report.known}


def report_document(report: Report) -> dict[str, Any]:
    """Return the report in JSON's own types."""
    return {
        "schema": SCHEMA,
        "version": report.version,
        "command": report.command,
        "config": report.config,
        "verdict": report.verdict.value,
        "objectives": plain(report.objectives),
        "findings": plain(report.findings),
        "skipped": plain(report.skipped),
        "trial": plain(report.trial),
        "environment": plain(report.environment),
    }
