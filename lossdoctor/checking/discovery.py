"""Which files a check is about: files, folders that are searched for YAML, and patterns."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

SUFFIXES = (".yaml", ".yml")


@dataclass(frozen=True)
class Candidate:
    """A file that may be a config."""

    path: Path
    named: bool  #: by itself, not through a folder or a pattern: then it has to be a config
    note: str = ""  #: why it is not read; "" where it is


def discover(paths: Iterable[str], known: Iterable[Path] = ()) -> list[Candidate]:
    """Return the files to check, each once, in the order of the paths; those of a folder by name.

    `known` are files that are known to be configs: where they are found they count as named. Nothing is opened.
    Folders that begin with a dot are left out, and links are followed to files below the same folder only: neither a
    loop nor a file from elsewhere, whose content would show in messages, can be brought in by a link.
    """
    configs = {_identity(path) for path in known}
    found: dict[str, Candidate] = {}
    for path in paths:
        for candidate in _candidates(path):
            identity = _identity(candidate.path)
            named = candidate.named or identity in configs or (identity in found and found[identity].named)
            found[identity] = Candidate(candidate.path, named, candidate.note)
    return list(found.values())


def _candidates(text: str) -> Iterator[Candidate]:
    path = Path(text)
    if path.is_dir():
        yield from _in_folder(path, path.resolve())
    elif glob.has_magic(text) and not os.path.lexists(path):
        yield from _matching(text)
    else:
        yield Candidate(path, named=True, note=_note_on_kind(path))


def _matching(pattern: str) -> Iterator[Candidate]:
    matches = sorted(glob.iglob(pattern, recursive=True))  # noqa: PTH207 - Path.glob takes no absolute patterns
    if not matches:
        yield Candidate(Path(pattern), named=True, note="no file matches this pattern")
    for match in matches:
        path = Path(match)
        if path.is_dir():
            yield from _in_folder(path, path.resolve())
        else:
            yield Candidate(path, named=False, note=_note_on_kind(path))


def _in_folder(folder: Path, root: Path) -> Iterator[Candidate]:
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as error:
        yield Candidate(folder, named=True, note=f"the folder cannot be read: {error.strerror}")
        return
    for entry in entries:
        path = folder / entry.name
        if entry.is_dir(follow_symlinks=False):
            if not entry.name.startswith("."):
                yield from _in_folder(path, root)
        elif entry.is_symlink():
            yield from _linked(path, root)
        elif entry.name.endswith(SUFFIXES) and entry.is_file():
            yield Candidate(path, named=False)


def _linked(path: Path, root: Path) -> Iterator[Candidate]:
    """Yield what a link in a folder stands for, where that is a file below `root`; a note on every other YAML file."""
    if path.is_dir():
        yield Candidate(path, named=False, note="a link to a folder is not followed")
    elif path.name.endswith(SUFFIXES):
        inside = path.exists() and path.resolve().is_relative_to(root)
        note = _note_on_kind(path) if inside or not path.exists() else "a link that leads out of the folder"
        yield Candidate(path, named=False, note=note)


def _note_on_kind(path: Path) -> str:
    """Return why something that may be no regular file is not read: reading a pipe may take for ever."""
    try:
        if path.is_file() or not os.path.lexists(path):
            return ""  # of what is missing, the reader knows what to say
        path.stat()
    except OSError as error:
        return f"it cannot be read: {error.strerror}"
    return "it is no regular file"


def _identity(path: Path) -> str:
    try:
        return str(path.resolve())
    except (OSError, RuntimeError):  # a loop of links
        return str(path.absolute())
