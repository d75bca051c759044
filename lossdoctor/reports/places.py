"""Where a finding shows: the file and line that tools reading a report lead people to."""

from __future__ import annotations

import os
from pathlib import Path, PurePath

from ..config.source import COMMAND_LINE
from ..records import Failure, Finding, Location, Report


def place_of(subject: Finding | Failure, report: Report) -> Location:
    """Return the place of a finding or failure; the config as a whole (line 0) where it has none in a file.

    Files below the working directory, in CI the root of the repository, are relative to it, with slashes.
    """
    place = subject.location
    if place is None or place.file == COMMAND_LINE.file:
        place = Location(report.config, 0)
    return Location(relative_path(place.file), place.line, place.column)


def relative_path(file: str) -> str:
    """Return a path relative to the working directory, with slashes, where it lies below; else in full."""
    if not file:
        return ""
    folder = Path.cwd()
    path = PurePath(os.path.normpath(folder / file))
    return (path.relative_to(folder) if path.is_relative_to(folder) else path).as_posix()


def shown_place(place: Location) -> str:
    """Return a place as `file:line`, or the file alone; a file below the working directory as from there."""
    file = relative_path(place.file)
    return f"{file}:{place.line}" if place.line else file
