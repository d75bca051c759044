"""Near-matches: which tensor of a checkpoint a missing one may have been before somebody renamed it."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from difflib import get_close_matches

from .prefixes import Shapes

#: `difflib` takes some 50 µs for a pair of names: these bounds keep it below half a second.
_MISSING = 100
_CANDIDATES = 50
#: Below difflib's usual 0.6, because the same shape is evidence too.
_SIMILARITY = 0.5


def near_matches(missing: Sequence[str], wanted: Shapes, unexpected: Sequence[str], found: Shapes) -> dict[str, str]:
    """Return for the first 100 missing keys the unexpected key of the same shape most like it, if any.

    Where many layers share a shape, those with the same numbers are compared: renamed layers mostly keep
    their index.
    """
    by_shape = defaultdict(list)
    by_numbers = defaultdict(list)
    for key in unexpected:
        by_shape[found.get(key)].append(key)
        by_numbers[found.get(key), _numbers(key)].append(key)
    near = {}
    for key in missing[:_MISSING]:
        if (shape := wanted.get(key)) is None:
            continue
        candidates = by_shape[shape]
        if len(candidates) > _CANDIDATES:
            candidates = by_numbers[shape, _numbers(key)][:_CANDIDATES]
        if close := get_close_matches(key, candidates, n=1, cutoff=_SIMILARITY):
            near[key] = close[0]
    return near


def _numbers(key: str) -> tuple[str, ...]:
    return tuple(re.findall(r"\d+", key))
