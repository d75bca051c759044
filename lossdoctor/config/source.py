"""Where the values of a config were written, so that every problem can say it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn

from ..errors import ConfigError, Problem
from ..records import Location
from .display import visible
from .keys import Keys, dotted

COMMAND_LINE = Location("--set", 0)

#: Nobody reads further, and looking for what each of 30,000 keys was meant to be takes minutes.
MAX_PROBLEMS = 100

_MAX_TEXT = 4096


@dataclass(frozen=True)
class Source:
    """A config's file, the places of its keys, and the keys that the command line set instead."""

    start: Location  #: of the file; line 0 where the config does not come from a file
    positions: Mapping[Keys, Location] = field(default_factory=dict)
    overridden: frozenset[Keys] = frozenset()

    def locate(self, keys: Keys) -> Location:
        """Return where a key is written; where it is not, the nearest key around it."""
        for length in range(len(keys), 0, -1):
            around = keys[:length]
            if around in self.overridden:
                return COMMAND_LINE
            if around in self.positions:
                return self.positions[around]
            if any(override[:length] == around for override in self.overridden):
                return COMMAND_LINE  # created on the way to a key that was set
        return self.start

    def problem(self, keys: Keys, expected: str, found: str, advice: str = "") -> Problem:
        """Return what is wrong at a key."""
        place = self.locate(keys)
        return problem_at(place, keys, expected, found, advice)


def problem_at(place: Location, keys: Iterable[str], expected: str, found: str, advice: str = "") -> Problem:
    """Return what is wrong at a place, with nothing in it that a terminal would obey."""
    key = dotted(visible(name) for name in keys)
    file, expected, found, advice = (visible(text, _MAX_TEXT) for text in (place.file, expected, found, advice))
    return Problem(file, place.line, place.column, key, expected, found, advice)


def location(file: str, mark: Any) -> Location:
    """Return where a mark of PyYAML's points to; it counts from 0."""
    return Location(file, mark.line + 1, mark.column + 1)


def refuse(place: Location, expected: str, found: str, advice: str = "") -> NoReturn:
    """Raise the one problem that keeps a file from being read at all."""
    raise ConfigError((problem_at(place, (), expected, found, advice),))
