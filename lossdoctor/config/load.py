"""Reading a config: a YAML file or a mapping becomes a `Config`, or an error that lists every problem."""

from __future__ import annotations

import itertools
import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from ..errors import ConfigError, Problem
from ..records import Location
from .checks import check_across_keys
from .display import shown, visible
from .explain import explain
from .files import check_files
from .keys import Keys, mapping_at
from .overrides import apply_overrides, without_overridden
from .rule_options import check_rules
from .schema import Config
from .source import MAX_PROBLEMS, Source, refuse
from .suggest import did_you_mean
from .yaml_reader import MAX_BYTES, Document, decode, read_document

IN_MEMORY = Path("<config>")


def load_config(path: str | Path, overrides: Sequence[str] = ()) -> Config:
    """Read and check a config file, with `key.path=value` overrides on top (see `overrides.py`).

    No code that the config names is run, torch is not imported.
    Raises ConfigError with every problem found.
    """
    path = Path(path)
    return config_of(read_bytes(path), path, overrides)


def read_config_text(path: Path) -> str:
    """Return the text of a config file, to the last byte. Raises ConfigError where there is none, or it is no text."""
    data = read_bytes(path)
    decode(data, str(path))
    return data.decode("utf-8")


def config_of(text: str | bytes, path: Path, overrides: Sequence[str] = ()) -> Config:
    """Check the text of a config file that lies, or might lie, at `path`. Raises ConfigError as `load_config` does."""
    return config_of_document(read_document(text, str(path)), path, overrides)


def config_of_document(document: Document, path: Path, overrides: Sequence[str] = ()) -> Config:
    """Return the config that a YAML document says, with overrides on top. Raises ConfigError as `load_config` does."""
    overridden = apply_overrides(document.value, overrides)
    positions = without_overridden(document.positions, overridden.keys)
    source = Source(Location(str(path), 1), positions, overridden.keys)
    config = _config(overridden.value, path, source, document.problems + overridden.problems)
    config._suppressions = document.suppressions
    return config


def parse_config(data: Mapping[str, Any], path: Path = IN_MEMORY) -> Config:
    """Check a config that is a mapping in Python, in the form that YAML would give.

    Relative paths and targets start from the folder of `path`, the current one when left out.
    Raises ConfigError with every problem found.
    """
    source = Source(Location(str(path), 0))
    return _config(_plain(data, source), path, source, ())


def _config(data: Mapping[str, Any], path: Path, source: Source, known: Sequence[Problem]) -> Config:
    problems = itertools.chain(known, _check(data, path.parent, source))
    try:
        config = Config.model_validate(data)
    except ValidationError as error:
        problems = itertools.chain(problems, explain(error, Config, data, source))
    if found := _first_of_each_key(problems):
        raise ConfigError(_in_order(found, source))
    config._path = path
    config._positions = source.positions
    return config


def _check(data: Mapping[str, Any], folder: Path, source: Source) -> Iterator[Problem]:
    yield from check_across_keys(data, source)
    yield from check_files(data, folder, source)
    if rules := mapping_at(data, "rules"):
        yield from check_rules(rules, source)


def _first_of_each_key(problems: Iterable[Problem]) -> list[Problem]:
    """One mistake, one message: later checks may only stumble over what an earlier one has found."""
    first: dict[str, Problem] = {}
    for problem in itertools.islice(problems, MAX_PROBLEMS + 1):
        first.setdefault(problem.key or str(problem), problem)
    return list(first.values())


def _in_order(problems: Sequence[Problem], source: Source) -> tuple[Problem, ...]:
    """Return the problems from the top of the file down, the command line's after them."""
    ordered = sorted(problems, key=lambda problem: (problem.line or sys.maxsize, problem.column))
    if len(ordered) > MAX_PROBLEMS:
        more = source.problem((), f"at most {MAX_PROBLEMS} problems", "more", "correct the ones above first")
        ordered = [*ordered[:MAX_PROBLEMS], more]
    return tuple(ordered)


def _plain(value: Any, source: Source, keys: Keys = ()) -> Any:
    """Return mappings as dicts and sequences as lists; arguments of the user's own code stay as they are."""
    if keys[-1:] == ("args",):
        return value
    if isinstance(value, Mapping):
        for key in value:
            if not isinstance(key, str):
                raise ConfigError((source.problem(keys, "text as keys", f"the key {shown(key)}"),))
        return {key: _plain(item, source, (*keys, key)) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item, source, (*keys, str(index))) for index, item in enumerate(value)]
    return os.fspath(value) if isinstance(value, os.PathLike) else value


def read_bytes(path: Path) -> bytes:
    """Return what a config file holds, and no more than one byte beyond the limit.

    Raises ConfigError where it cannot be read.
    """
    place = Location(str(path), 0)
    try:
        with path.open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except IsADirectoryError:
        advice = f"`lossdoctor check {visible(str(path))}` checks every config in a folder"
        refuse(place, "a config file", "a folder", advice)
    except FileNotFoundError:
        refuse(place, "a config file", "nothing at this path", _advice_on_missing(path))
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        refuse(place, "a config file that can be read", visible(reason), "check the path and its permissions")


def _advice_on_missing(path: Path) -> str:
    try:
        neighbours = [neighbour.name for neighbour in path.parent.glob("*.y*ml")]
    except OSError:
        neighbours = []
    return did_you_mean(path.name, neighbours) or "`lossdoctor init` writes a first config"
