"""Changing values in the text of a config, in which comments, order and style stay."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

from ..errors import LossDoctorError
from .keys import Keys, dotted


def with_values(text: str, changes: Mapping[Keys, Any]) -> str:
    """Return the text of a config with other values at some keys; keys that are missing are added.

    Raises LossDoctorError where a key lies inside something that is no mapping, or in an alias, which stands for more
    than one place.
    """
    from ruamel.yaml import YAML
    from ruamel.yaml.util import load_yaml_guess_indent

    windows = "\r\n" in text
    plain = text.replace("\r\n", "\n").removeprefix("\ufeff")
    _, indent, offset = load_yaml_guess_indent(plain)
    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = 10_000  # lines are broken where their author did
    yaml.indent(mapping=indent or 2, sequence=(offset or 0) + 2, offset=offset or 0)
    document = yaml.load(plain)
    for keys, value in changes.items():
        _set(document, keys, value)
    stream = io.StringIO()
    yaml.dump(document, stream)
    bom = "\ufeff" if text.startswith("\ufeff") else ""
    changed = bom + stream.getvalue()
    return changed.replace("\n", "\r\n") if windows else changed


def _set(document: Any, keys: Keys, value: Any) -> None:
    around = document
    for depth, key in enumerate(keys[:-1], start=1):
        if key not in around:
            around[key] = {}
        around = around[key]
        shared = getattr(getattr(around, "anchor", None), "value", None) is not None
        if not isinstance(around, Mapping) or shared:
            what = "shared by several places" if shared else "no mapping"
            message = f"cannot write {dotted(keys)}: {dotted(keys[:depth])} is {what}"
            raise LossDoctorError(message, "Write it out in the config, and try again.")
    around[keys[-1]] = value
