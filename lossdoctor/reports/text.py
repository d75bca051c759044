"""Foreign strings made fit to show: component names, paths and exception texts come from anywhere."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from enum import Enum
from typing import Any, TypeVar

Record = TypeVar("Record")

#: Long enough for any message that a person reads; the JSON report keeps everything.
LONGEST = 1000


def shortened(text: str, limit: int) -> str:
    """Return `text` cut in the middle to about `limit` characters: beginning and end tell names apart."""
    if len(text) <= limit:
        return text
    kept = limit // 2
    return f"{text[:kept]}…({len(text) - 2 * kept} more)…{text[-kept:]}"


def with_strings(record: Record, change: Callable[[str], str]) -> Record:
    """Return a copy of `record` with `change` applied to every string in it, however deep, keys included.

    A format that cleans the whole report at its door cannot forget a field.
    """
    changed: Any = _changed(record, change)
    return changed  # type: ignore[no-any-return]


def _changed(value: Any, change: Callable[[str], str]) -> Any:
    match value:
        case Enum():
            return value
        case str():
            return change(value)
        case Mapping():
            return {change(str(key)): _changed(entry, change) for key, entry in value.items()}
        case list() | tuple() | set() | frozenset():
            return tuple(_changed(entry, change) for entry in value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
        return dataclasses.replace(value, **{name: _changed(entry, change) for name, entry in fields.items()})
    return value
