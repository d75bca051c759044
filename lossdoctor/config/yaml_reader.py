"""Reading YAML: plain values, and the line and column of every key.

Scalars are YAML 1.2's (`yaml_core.py`); what could harm is refused before it is built (`yaml_limits.py`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

import yaml

from ..errors import ConfigError, Problem
from ..records import Location
from .display import shown, visible
from .keys import Keys
from .source import location, refuse
from .suppressions import Suppression, find_suppressions
from .yaml_core import CoreLoader
from .yaml_limits import check_limits, refuse_depth
from .yaml_nodes import Constructor

MAX_BYTES = 1_000_000

#: What YAML does not allow in a text; a byte order mark inside it; and the three characters that end a line in YAML
#: 1.1 (as libyaml has it) but not in YAML 1.2, so that line numbers are those of every editor. As one set of
#: characters, `re` would take longer to compile it than a config takes to be read.
_UNPRINTABLE = tuple(
    re.compile(characters)
    for characters in (
        r"[\0-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]",
        r"[\u2028\u2029]",
        r"[\ud800-\udfff]",
        r"[\ufeff\ufffe\uffff]",
    )
)

#: Pieces of the parser's messages, and what helps.
_SYNTAX_ADVICE = {
    "mapping values are not allowed": 'put a value that contains ": " in quotes, or check the indentation',
    "cannot start any token": "indent with spaces, not tabs; put a value that begins with @ or % in quotes",
    "could not find expected ':'": "write `key: value`; a colon, the space after it or a quote is missing",
    "did not find expected key": "the indentation does not fit the lines above, or a comma or a quote is missing",
    "expected <block end>": "the indentation does not fit the lines above, or a comma or a quote is missing",
    "sequence entries are not allowed": "begin a list on a line of its own, or write it as [a, b]",
    "undefined alias": "put a value that begins with * in quotes, or define the anchor with & above it",
    "expected alphabetic": "put a value that begins with * or & in quotes",
    "duplicate anchor": "give each anchor (&name) a name of its own",
    "unexpected end of stream": "a quote that begins here is not closed",
    "expected ',' or": "a comma or a closing bracket is missing",
    "unknown escape": "in double quotes a backslash is an escape; use single quotes",
}


@dataclass(frozen=True)
class Document:
    """What a YAML file says, where it says it, and what is wrong with single keys of it."""

    value: dict[str, Any]
    positions: Mapping[Keys, Location]  #: of the key; in a list of the item, whose key is "0", "1", …
    problems: tuple[Problem, ...] = ()
    suppressions: tuple[Suppression, ...] = ()


def read_yaml(text: str | bytes, file: str) -> Document:
    """Read the mapping that a YAML text holds.

    Raises ConfigError with every problem that `read_document` raises or notes.
    """
    document = read_document(text, file)
    if document.problems:
        raise ConfigError(document.problems)
    return document


def read_document(text: str | bytes, file: str) -> Document:
    """Read the mapping that a YAML text holds, and note what is wrong with single keys of it.

    Such problems are duplicate keys, keys that are not text, and tags outside YAML's core schema. The place of
    a key is where it is written: for one that comes through an alias or a merge, at the anchor.

    Raises ConfigError where nothing can be read: over 1 MB, no UTF-8, no YAML, nested deeper than 50, over 100
    aliases, over 100,000 values once aliases are followed, several documents, empty, or no mapping.
    """
    decoded = decode(text, file)
    node = _compose(decoded, file)
    if node is None or (isinstance(node, yaml.ScalarNode) and not node.value):
        advice = "`lossdoctor init` writes a first config"
        refuse(Location(file, 1), "settings as `key: value`", "an empty file", advice)
    constructor = Constructor(file)
    value = constructor.construct(node, ())
    if not isinstance(value, dict):
        place = location(file, node.start_mark)
        refuse(place, "settings as `key: value`", shown(value), "write `model:`, `data:` and `loss:` as keys")
    problems = tuple(dict.fromkeys(constructor.problems))
    return Document(value, constructor.positions, problems, find_suppressions(decoded, file))


def read_value(text: str, file: str) -> Any:
    """Read any YAML value, such as `1e-3` or `[a, b]`; empty text is null.

    Raises ConfigError as `read_yaml` does.
    """
    node = _compose(decode(text, file), file)
    constructor = Constructor(file)
    value = None if node is None else constructor.construct(node, ())
    if constructor.problems:
        raise ConfigError(tuple(constructor.problems))
    return value


def _compose(decoded: str, file: str) -> yaml.Node | None:
    try:
        check_limits(yaml.parse(decoded, Loader=CoreLoader), file)
        node: yaml.Node | None = yaml.compose(decoded, Loader=CoreLoader)
    except yaml.MarkedYAMLError as error:
        _refuse_syntax(error, file)
    return node


def decode(text: str | bytes, file: str) -> str:
    """Return a config's text, without a byte order mark. Raises ConfigError where it is too long or no text."""
    if len(text) > MAX_BYTES:
        refuse(Location(file, 1), f"at most {MAX_BYTES:,} bytes", "more", "is this really a config file?")
    decoded = text if isinstance(text, str) else _decode_utf8(text, file)
    decoded = decoded.removeprefix("\ufeff")
    found = [match for characters in _UNPRINTABLE if (match := characters.search(decoded))]
    if bad := min(found, key=re.Match.start, default=None):
        character = f"the control character U+{ord(bad[0]):04X}"
        advice = "remove it, or write it as an escape in double quotes; is this really a config file?"
        refuse(_place(decoded[: bad.start()], file), "a text file", character, advice)
    return decoded


def _decode_utf8(data: bytes, file: str) -> str:
    advice = "save the file in the encoding UTF-8"
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        refuse(Location(file, 1), "UTF-8", "UTF-16", advice)
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        before = data[: error.start].decode("utf-8")
        refuse(_place(before, file), "UTF-8", f"the byte 0x{data[error.start]:02x}", advice)


def _place(before: str, file: str) -> Location:
    return Location(file, before.count("\n") + 1, len(before) - before.rfind("\n"))


def _refuse_syntax(error: yaml.MarkedYAMLError, file: str) -> NoReturn:
    text = ": ".join(str(part) for part in (error.context, error.problem) if part)
    advice = next((advice for piece, advice in _SYNTAX_ADVICE.items() if piece in text), "")
    begun, mark = error.context_mark, error.problem_mark or error.context_mark
    if begun is not None and "end of stream" in text:
        # A quote that is never closed is noticed at the end of the file, but is wrong where it begins.
        mark = begun
    if mark is not None and begun is not None and begun.line < mark.line:
        text += f" (begun on line {begun.line + 1})"
    place = Location(file, 1) if mark is None else location(file, mark)
    if "nesting depth" in text:  # libyaml reads ahead, and may come to a limit of its own first
        refuse_depth(place)
    refuse(place, "valid YAML", f"a syntax error: {visible(text, 200)}", advice)
