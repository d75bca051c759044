"""When a component has been learned: what a fall of its value comes to."""

from __future__ import annotations

#: A change of a value by less than this part of it is none.
NOTICEABLE = 0.05

#: The part of the reducible loss that has to be gone from a batch that is seen again and again.
LEARNED = 0.5


def reducible_gone(start: float | None, end: float | None, floor: float | None) -> float | None:
    """Return (start − end) / (start − floor); None where one is unknown or there was nothing to reduce."""
    if start is None or end is None or floor is None or start <= floor:
        return None
    return (start - end) / (start - floor)
