"""Finding the word that a mistyped one was meant to be."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

#: Comparing is quadratic, and nobody mistypes a longer word.
_MAX_LENGTH = 100


def closest(word: str, options: Iterable[str]) -> str | None:
    """Return the option that a mistyped word is most like, whatever its case; None where none is like it."""
    by_lower = {option.lower(): option for option in options}
    if len(word) > _MAX_LENGTH:
        return None
    near = difflib.get_close_matches(word.lower(), by_lower, 1)
    return by_lower[near[0]] if near else None


def did_you_mean(word: object, options: Iterable[str]) -> str:
    """Return the question with the closest option, or "" where none is like the word."""
    near = closest(word, options) if isinstance(word, str) else None
    return "" if near is None else f"did you mean `{near}`?"
