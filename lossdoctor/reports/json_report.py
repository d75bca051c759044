"""The report as JSON, for scripts: the schema `lossdoctor/1`."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping
from enum import Enum
from numbers import Integral, Real
from typing import Any

from ..records import Report

SCHEMA = "lossdoctor/1"


def render_json(report: Report) -> str:
    """Return the report as one JSON object: keys in a fixed order, numbers that are not finite as null."""
    return as_json_text(report_document(report))


def as_json_text(document: Mapping[str, Any]) -> str:
    """Return plain values as JSON that any terminal can show."""
    text = json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False)
    return "".join(char if char.isprintable() or char == "\n" else _escape(char) for char in text) + "\n"


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


def plain(value: Any) -> Any:
    """Return `value` in JSON's own types: what has no counterpart is written as text."""
    match value:
        case None | bool():
            return value
        case Enum():
            return plain(value.value)
        case str():
            return str(value)
        case Integral():
            return int(value)
        case Real():
            return float(value) if math.isfinite(value) else None
        case Mapping():
            return {str(key): plain(entry) for key, entry in value.items()}
        case list() | tuple():
            return [plain(entry) for entry in value]
        case set() | frozenset():
            return sorted((plain(entry) for entry in value), key=str)
    if dataclasses.is_dataclass(value):
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    return str(value)


def _escape(char: str) -> str:
    # json leaves bidirectional controls and lone surrogates as they are: terminals obey the former, and the
    # latter cannot be encoded. JSON's own syntax prints, so what is escaped here always stands in a string.
    return json.dumps(char)[1:-1]
