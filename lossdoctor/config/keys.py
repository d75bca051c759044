"""Keys of the config, and how a place is written on one line: `loss.components.lab.weight`.

A name that holds dots, equals signs, quotes or spaces stands in quotes: `loss.components."a.b".weight`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

Keys = tuple[str, ...]

_BARE = re.compile(r"[^\s.=\"']+")
_SEGMENT = re.compile(
    r"""
    "(?:[^"\\]|\\.)*"     # in double quotes, with the escapes of JSON
    | '[^']*'             # in single quotes, as it stands
    | [^.="'][^.=]*       # bare
    """,
    re.VERBOSE,
)


def dotted(keys: Iterable[str]) -> str:
    """Return keys as one dotted key that `split_key` takes apart again."""
    return ".".join(_quoted_where_needed(key) for key in keys)


def split_key(text: str) -> tuple[Keys, str]:
    """Take a dotted key off the front of a text; return the keys and what follows them.

    Raises ValueError where the text does not begin with a dotted key.
    """
    keys: list[str] = []
    end = -1
    while end < 0 or text[end : end + 1] == ".":
        match = _SEGMENT.match(text, end + 1)
        if match is None:
            msg = "a part of the key is empty or a quote is not closed"
            raise ValueError(msg)
        keys.append(_unquoted(match[0]))
        end = match.end()
    return tuple(keys), text[end:]


def value_at(value: Any, keys: Keys) -> Any:
    """Return the value at keys that exist."""
    for key in keys:
        value = value[key] if isinstance(value, Mapping) else value[int(key)]
    return value


def mapping_at(value: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """Return the mapping at a key; an empty one where there is none."""
    found = value.get(key)
    return found if isinstance(found, Mapping) else {}


def _quoted_where_needed(key: str) -> str:
    if not key.isprintable():
        return json.dumps(key)
    return key if _BARE.fullmatch(key) else json.dumps(key, ensure_ascii=False)


def _unquoted(segment: str) -> str:
    if segment.startswith('"'):
        return str(json.loads(segment))
    return segment[1:-1] if segment.startswith("'") else segment.strip()
