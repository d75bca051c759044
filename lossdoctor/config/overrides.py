"""`--set key.path=value`: values that the command line puts in place of the file's."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from ..errors import ConfigError, Problem
from ..records import Location
from .display import shown
from .keys import Keys, dotted, split_key
from .source import COMMAND_LINE, problem_at
from .yaml_limits import MAX_DEPTH
from .yaml_reader import read_value


@dataclass(frozen=True)
class Overridden:
    """A config's values after the overrides."""

    value: dict[str, Any]
    keys: frozenset[Keys]  #: that were set
    problems: tuple[Problem, ...]


def apply_overrides(value: Mapping[str, Any], overrides: Iterable[str]) -> Overridden:
    """Return the values with every `key.path=value` set, later ones on top of earlier ones.

    The value is YAML (`1e-3`, `[a, b]`, `null`); nothing after the `=` is null. Keys that are missing are
    created. A name that holds dots stands in quotes, `loss.components."a.b".weight=1`; an entry of a list is
    named by its index, `loss.components.perceptual.layers.0=3`.
    """
    result: Any = dict(value)
    keys: list[Keys] = []
    problems: list[Problem] = []
    for override in overrides:
        try:
            path, new = _parse(override)
            result = _with(result, path, new)
            keys.append(path)
        except ConfigError as error:  # noqa: PERF203 - every bad override is reported, not just the first
            problems += error.problems
    return Overridden(result, frozenset(keys), tuple(problems))


def without_overridden(positions: Mapping[Keys, Location], keys: Collection[Keys]) -> Mapping[Keys, Location]:
    """Return the places of the keys, less those below a key that was set: the file's values are gone."""
    if not keys:
        return positions
    return {
        place: location
        for place, location in positions.items()
        if not any(place[:length] in keys for length in range(1, len(place)))
    }


def _parse(override: str) -> tuple[Keys, Any]:
    example = "for example --set loss.components.lab.weight=0.1"
    try:
        keys, rest = split_key(override)
    except ValueError as error:
        _refuse((), "key.path=value", f"{shown(override)}: {error}", example)
    if not rest.startswith("="):
        _refuse((), "key.path=value", f"{shown(override)}, in which no `=` follows the key", example)
    if len(keys) > MAX_DEPTH:
        _refuse((), f"a key of at most {MAX_DEPTH} names", f"one of {len(keys)}", example)
    try:
        return keys, read_value(rest[1:], COMMAND_LINE.file)
    except ConfigError as error:
        advice = f"text with special characters needs quotes of its own: '{dotted(keys)}=\"...\"'"
        _refuse(keys, "a YAML value", error.problems[0].found, error.problems[0].advice or advice)


def _with(value: Any, keys: Keys, new: Any, above: Keys = ()) -> Any:
    """Return a copy of the value with `new` at the keys."""
    if not keys:
        return new
    key, *below = keys
    here = (*above, key)
    if value is None or isinstance(value, Mapping):
        known = value or {}
        return {**known, key: _with(known.get(key), tuple(below), new, here)}
    if not isinstance(value, list):
        _refuse(above, f"a mapping, in order to set `{key}` in it", shown(value), "set the whole value")
    index = _index(key, value, here)
    return [*value[:index], _with(value[index], tuple(below), new, here), *value[index + 1 :]]


def _index(key: str, items: list[Any], keys: Keys) -> int:
    if not (key.isdecimal() and int(key) < len(items)):
        _refuse(keys, f"an index from 0 to {len(items) - 1}", shown(key), "or set the whole list: key=[a, b]")
    return int(key)


def _refuse(keys: Keys, expected: str, found: str, advice: str) -> NoReturn:
    raise ConfigError((problem_at(COMMAND_LINE, keys, expected, found, advice),))
