"""Records as JSON text that any reader can parse and no terminal obeys."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping
from enum import Enum
from numbers import Integral, Real
from typing import Any


def json_text(document: Any) -> str:
    """Return `plain(document)` as JSON in lines, indented, what does not print as its escape."""
    return "\n".join(map(_printable, _dumped(document, indent=2).split("\n"))) + "\n"


def json_line(value: Any) -> str:
    """Return `plain(value)` as JSON on one line, what does not print as its escape."""
    return _printable(_dumped(value))


def _dumped(value: Any, indent: int | None = None) -> str:
    return json.dumps(plain(value), indent=indent, ensure_ascii=False, allow_nan=False)


def _printable(line: str) -> str:
    # json leaves bidirectional controls and lone surrogates as they are: terminals obey the former, and the
    # latter cannot be encoded. JSON's own syntax prints, so what is escaped here always stands in a string.
    return (
        line if line.isprintable() else "".join(char if char.isprintable() else json.dumps(char)[1:-1] for char in line)
    )


def plain(value: Any) -> Any:
    """Return `value` in JSON's own types; what has no counterpart is written as text, what is not finite as null."""
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
