"""How a value is shown in a message: short, on one line, with nothing in it that a terminal would obey."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from ..printable import printable

MAX_LENGTH = 60


def visible(text: str, limit: int = MAX_LENGTH) -> str:
    """Return the text on one line, its control characters escaped, cut to about `limit` characters."""
    cut = text if len(text) <= limit else text[: limit - 1] + "…"
    return printable(cut)


def shown(value: Any) -> str:
    """Return a value as YAML would write it, text in quotes, collections summed up."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and not math.isfinite(value):
        return ".nan" if math.isnan(value) else ".inf" if value > 0 else "-.inf"
    if isinstance(value, (int, float)):
        return _shown_number(value)
    if isinstance(value, str):
        return repr(value if len(value) <= MAX_LENGTH else value[: MAX_LENGTH - 1] + "…")
    if isinstance(value, Mapping):
        return f"a mapping with the keys {_listing(value)}" if value else "an empty mapping"
    if isinstance(value, (list, tuple)):
        return f"a list with {_listing(value)}" if value else "an empty list"
    return f"a Python {type(value).__name__}"


def _shown_number(value: float) -> str:
    try:
        return visible(repr(value))
    except ValueError:  # Python refuses to print integers of many thousand digits
        return "a number with thousands of digits"


def _listing(items: Mapping[Any, Any] | list[Any] | tuple[Any, ...]) -> str:
    first = list(items)[:3]
    texts = [shown(item) if not isinstance(item, (list, tuple, Mapping)) else "…" for item in first]
    more = f" and {len(items) - len(first)} more" if len(items) > len(first) else ""
    return ", ".join(texts) + more
