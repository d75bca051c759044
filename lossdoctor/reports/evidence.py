"""The evidence of a finding as short lines of key and value."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from numbers import Integral, Real
from typing import Any

from .number_format import MISSING, number

#: Entries of a list that are shown; a list of 64 channels says no more than its beginning.
LONGEST_LIST = 12


def evidence_rows(evidence: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield `(key, text)`: nested keys are joined by dots, flat lists and mappings stay on one line."""
    for key, value in evidence.items():
        yield from _rows(str(key), value)


def _rows(key: str, value: Any) -> Iterator[tuple[str, str]]:
    if _is_flat(value):
        yield key, _inline(value)
    elif isinstance(value, Mapping):
        for name, entry in value.items():
            yield from _rows(f"{key}.{name}", entry)
    else:
        for index, entry in enumerate(value):
            yield from _rows(f"{key}[{index}]", entry)


def _is_flat(value: Any) -> bool:
    entries = value.values() if isinstance(value, Mapping) else value if _is_sequence(value) else ()
    return not any(isinstance(entry, Mapping) or _is_sequence(entry) for entry in entries)


def _inline(value: Any) -> str:
    match value:
        case None:
            return MISSING
        case bool():
            return str(value).lower()
        case Integral():
            return str(value)
        case Real():
            return number(float(value))
        case Mapping():
            return _joined([f"{key} {_inline(entry)}" for key, entry in value.items()])
    return _joined([_inline(entry) for entry in value]) if _is_sequence(value) else str(value)


def _joined(entries: list[str]) -> str:
    if not entries:
        return "none"
    rest = f", ... ({len(entries)} in all)" if len(entries) > LONGEST_LIST else ""
    return ", ".join(entries[:LONGEST_LIST]) + rest


def _is_sequence(value: Any) -> bool:
    return isinstance(value, (Sequence, set, frozenset)) and not isinstance(value, (str, bytes))
