"""Checking that the files which a config names are there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

from ..errors import Problem
from .display import shown, visible
from .keys import Keys, mapping_at
from .source import Source
from .suggest import did_you_mean

#: Enough to find a mistyped name; a folder of a million images is not listed.
_MAX_NEIGHBOURS = 1000


def check_files(data: Mapping[str, Any], folder: Path, source: Source) -> Iterator[Problem]:
    """Yield which files are missing. Relative paths start from the folder of the config."""
    checkpoint = mapping_at(data, "model").get("checkpoint")
    yield from _check(checkpoint, "file", ("model", "checkpoint"), folder, source)
    images = mapping_at(data, "data").get("images")
    yield from _check(images, "folder", ("data", "images"), folder, source)
    for name, component in mapping_at(mapping_at(data, "loss"), "components").items():
        pretrained = component.get("pretrained") if isinstance(component, Mapping) else None
        yield from _check_pretrained(pretrained, ("loss", "components", name, "pretrained"), folder, source)


def _check(value: Any, wanted: str, keys: Keys, folder: Path, source: Source) -> Iterator[Problem]:
    if isinstance(value, str) and (there := _kind(folder, value)) != wanted:
        found = f"{shown(value)}, which is {'a ' + there if there else 'not there'}"
        yield source.problem(keys, f"the path of a {wanted}", found, _advice(folder, value))


def _check_pretrained(value: Any, keys: Keys, folder: Path, source: Source) -> Iterator[Problem]:
    words = ("imagenet", "random")
    if isinstance(value, str) and value not in words and _kind(folder, value) != "file":
        advice = did_you_mean(value, words) or _advice(folder, value)
        found = f"{shown(value)}, which is not there"
        yield source.problem(keys, "imagenet, random, or the path of a file", found, advice)


def _kind(folder: Path, value: str) -> str:
    """Return "file", "folder", or "" where there is neither, or the system refuses such a name."""
    try:
        path = folder / Path(value).expanduser()
        return "folder" if path.is_dir() else "file" if path.exists() else ""
    except (OSError, ValueError, RuntimeError):  # RuntimeError: ~ without a home
        return ""


def _advice(folder: Path, value: str) -> str:
    path = folder / value
    try:
        neighbours = [neighbour.name for neighbour in islice(path.parent.iterdir(), _MAX_NEIGHBOURS)]
    except (OSError, ValueError):
        neighbours = []
    start = visible(str(folder.absolute()), 4096)
    return did_you_mean(path.name, neighbours) or f"relative paths start from the config's folder, {start}"
