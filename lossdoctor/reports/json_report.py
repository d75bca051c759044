"""The report as JSON, for scripts: the schema `lossdoctor/1`."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping, Sequence
from enum import Enum
from numbers import Integral, Real
from typing import Any

from .. import __version__
from ..records import Report
from .summary import worst_verdict

SCHEMA = "lossdoctor/1"


def render_json(reports: Sequence[Report]) -> str:
    """Return one JSON object: keys in a fixed order, numbers that are not finite as null.

    The report of a command on one config is that object. The reports of `check`, however many, are its `reports`.
    """
    alone = len(reports) == 1 and reports[0].command != "check"
    document = _document(reports[0]) if alone else _envelope(reports)
    text = json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False)
    return "".join(char if char.isprintable() or char == "\n" else _escape(char) for char in text) + "\n"


def _envelope(reports: Sequence[Report]) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "version": __version__,
        "command": "check",
        "verdict": worst_verdict(reports).value,
        "reports": [_document(report) | {"failures": _plain(report.failures)} for report in reports],
    }


def _document(report: Report) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "version": report.version,
        "command": report.command,
        "config": report.config,
        "verdict": report.verdict.value,
        "objectives": _plain(report.objectives),
        "findings": _plain(report.findings),
        "skipped": _plain(report.skipped),
        "trial": _plain(report.trial),
        "environment": _plain(report.environment),
    }


def _plain(value: Any) -> Any:
    """Return `value` in JSON's own types; what has no counterpart is written as text."""
    match value:
        case None | bool():
            return value
        case Enum():
            return _plain(value.value)
        case str():
            return str(value)
        case Integral():
            return int(value)
        case Real():
            return float(value) if math.isfinite(value) else None
        case Mapping():
            return {str(key): _plain(entry) for key, entry in value.items()}
        case list() | tuple():
            return [_plain(entry) for entry in value]
        case set() | frozenset():
            return sorted((_plain(entry) for entry in value), key=str)
    if dataclasses.is_dataclass(value):
        return {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    return str(value)


def _escape(char: str) -> str:
    # json leaves bidirectional controls and lone surrogates as they are: terminals obey the former, and the
    # latter cannot be encoded. JSON's own syntax prints, so what is escaped here always stands in a string.
    return json.dumps(char)[1:-1]
