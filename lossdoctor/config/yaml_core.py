"""The scalars of YAML 1.2's core schema (https://yaml.org/spec/1.2.2/#103-core-schema), on top of PyYAML.

PyYAML resolves scalars as YAML 1.1 does: `1e-3` is text, `on` and `no` are booleans, `0777` is octal, `1:30` is
a number in base 60. Config values are read as YAML 1.2 instead, as newer tools do.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import yaml

MERGE_TAG = "tag:yaml.org,2002:merge"
STR_TAG = "tag:yaml.org,2002:str"
MAP_TAG = "tag:yaml.org,2002:map"
SEQ_TAG = "tag:yaml.org,2002:seq"

#: Python refuses to print integers of more than 4300 decimal digits; nobody means such a number.
_MAX_DIGITS = 1000

_PATTERNS: Mapping[str, re.Pattern[str]] = {
    "tag:yaml.org,2002:null": re.compile(r"(?:null|Null|NULL|~|)\Z"),
    "tag:yaml.org,2002:bool": re.compile(r"(?:true|True|TRUE|false|False|FALSE)\Z"),
    "tag:yaml.org,2002:int": re.compile(r"(?:[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+)\Z"),
    "tag:yaml.org,2002:float": re.compile(
        r"(?:[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?"
        r"|[-+]?(?:\.inf|\.Inf|\.INF)|\.nan|\.NaN|\.NAN)\Z"
    ),
    # A contract with people's habits, not YAML 1.2: `<<: *anchor` merges.
    MERGE_TAG: re.compile(r"<<\Z"),
}


def _integer(text: str) -> int:
    if len(text) > _MAX_DIGITS:
        msg = f"a number of at most {_MAX_DIGITS:,} digits"
        raise ValueError(msg)
    if text.startswith(("0o", "0x")):
        return int(text[2:], 8 if text[1] == "o" else 16)
    return int(text)


def _floating(text: str) -> float:
    lower = text.lower()
    return float(lower.replace(".", "") if lower.endswith(("inf", "nan")) else lower)


_CONVERT: Mapping[str, Callable[[str], Any]] = {
    "tag:yaml.org,2002:null": lambda _: None,
    "tag:yaml.org,2002:bool": lambda text: text.lower() == "true",
    "tag:yaml.org,2002:int": _integer,
    "tag:yaml.org,2002:float": _floating,
    MERGE_TAG: str,  # where it is no key, `<<` is text
}

#: For each tag of a plain scalar, the characters that it can begin with; earlier tags win.
_FIRST = {
    "tag:yaml.org,2002:null": ["n", "N", "~", ""],
    "tag:yaml.org,2002:bool": list("tTfF"),
    "tag:yaml.org,2002:int": list("-+0123456789"),
    "tag:yaml.org,2002:float": list("-+.0123456789"),
    MERGE_TAG: ["<"],
}


def core_value(tag: str, text: str) -> Any:
    """Return the Python value of a scalar with this tag.

    Raises KeyError for a tag that is not of the core schema, and ValueError, whose text says what is expected,
    for a scalar that does not fit its tag.
    """
    if tag == STR_TAG:
        return text
    if not _PATTERNS[tag].match(text):
        msg = f"what the tag !!{tag.rpartition(':')[2]} allows"
        raise ValueError(msg)
    return _CONVERT[tag](text)


def with_core_scalars(base: Any, known: Mapping[str, Any] = MappingProxyType({})) -> Any:
    """Return a subclass of a PyYAML loader or dumper that knows the plain scalars of YAML 1.2's core schema.

    `known` are the resolvers that it has besides.
    """
    core: Any = type(f"Core{base.__name__}", (base,), {"yaml_implicit_resolvers": dict(known)})
    for tag, first in _FIRST.items():
        core.add_implicit_resolver(tag, _PATTERNS[tag], first)
    return core


#: libyaml's parser where PyYAML was built with it; its own, slower one agrees on every value.
CoreLoader = with_core_scalars(getattr(yaml, "CSafeLoader", yaml.SafeLoader))

#: Quotes text that YAML 1.2, or 1.1 as in PyYAML, would take for something else.
CoreDumper = with_core_scalars(yaml.SafeDumper, yaml.SafeDumper.yaml_implicit_resolvers)
