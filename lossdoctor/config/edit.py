"""Changing values in the text of a config. Whatever is not changed stays as it is, byte for byte.

A round trip through a YAML library would keep comments and order, and still lay out anew what people have aligned by
hand. So the places of the nodes are taken from the parser, and only the text of the changed ones is replaced.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import yaml

from ..errors import LossDoctorError
from .keys import Keys, dotted
from .yaml_core import CoreDumper, CoreLoader
from .yaml_reader import read_yaml

#: The value that takes a key out.
REMOVED = object()

_BOM = "\ufeff"


class EditError(LossDoctorError):
    """A change that cannot be made in the text of a config."""


@dataclass(frozen=True)
class Change:
    """What a key of the config becomes."""

    keys: Keys
    value: Any  #: REMOVED takes the key out


def edited(text: str, changes: Mapping[Keys, Any], file: str = "<config>") -> str:
    """Return the text of a config with other values at some keys; keys that are missing are written.

    Comments, order, quotes, anchors and line ends stay. A key that shares its value with others, through an anchor,
    gets one of its own. Raises EditError where the text cannot say what is wanted.
    """
    body = text.removeprefix(_BOM)
    wanted = read_yaml(body, file).value
    for keys, value in changes.items():
        wanted = _with(wanted, keys, value)
    for keys in changes:
        body = _written(body, keys, wanted)
    for keys in list(_differences(read_yaml(body, file).value, wanted)):
        body = _written(body, keys, wanted)
    if left := next(_differences(read_yaml(body, file).value, wanted), None):
        message = f"{file}: {dotted(left)} cannot be changed without changing other keys"
        raise EditError(message, "Change it by hand.")
    return text[: len(text) - len(text.removeprefix(_BOM))] + body


def _with(value: Any, keys: Keys, new: Any) -> Any:
    """Return a copy of plain values with `new` at the keys."""
    if not keys:
        return new
    key, *below = keys
    if isinstance(value, list):
        return [_with(item, tuple(below), new) if str(index) == key else item for index, item in enumerate(value)]
    known = value if isinstance(value, Mapping) else {}
    if new is REMOVED and not below:
        return {name: item for name, item in known.items() if name != key}
    return {**known, key: _with(known.get(key), tuple(below), new)}


def _differences(found: Any, wanted: Any, keys: Keys = ()) -> Iterator[Keys]:
    """Yield the keys at which two configs differ, each as deep as both are mappings."""
    if isinstance(found, Mapping) and isinstance(wanted, Mapping):
        for key in {**found, **wanted}:
            if key not in found or key not in wanted:
                yield (*keys, key)
            else:
                yield from _differences(found[key], wanted[key], (*keys, key))
    elif found != wanted or type(found) is not type(wanted):
        yield keys


def _written(text: str, keys: Keys, wanted: Any) -> str:
    """Return the text with what is wanted at the keys, written at the deepest of them that has a place of its own."""
    source = _Source(text)
    node: yaml.Node = source.root
    for depth, key in enumerate(keys, 1):
        value = _wanted_at(wanted, keys[:depth])
        if isinstance(node, yaml.SequenceNode):
            child, start = node.value[int(key)], node.start_mark.index
        elif isinstance(node, yaml.MappingNode):
            index = next((i for i, (name, _) in enumerate(node.value) if name.value == key), None)
            if index is None:
                return text if value is REMOVED else source.with_entry(node, key, value)
            name, child = node.value[index]
            start = name.end_mark.index
            if value is REMOVED:
                return source.without_entry(node, index)
        else:  # nothing is written here yet
            whole = _flow(_wanted_at(wanted, keys[: depth - 1]))
            return source.replaced(node.start_mark.index, source.end(node), whole)
        if child.start_mark.index < start:  # it stands elsewhere: here is only an alias
            return source.replaced(*source.alias_after(start), _flow(value))
        if depth == len(keys) and not isinstance(value, (Mapping, list)) and _is_block(child):
            return source.with_value_for_block(start, child, value)
        node = child
    return source.with_value(node, _wanted_at(wanted, keys))


def _is_block(node: yaml.Node) -> bool:
    return isinstance(node, yaml.CollectionNode) and not node.flow_style and bool(node.value)


def _wanted_at(wanted: Any, keys: Keys) -> Any:
    for key in keys:
        if isinstance(wanted, list):
            wanted = wanted[int(key)]
        elif key in wanted:
            wanted = wanted[key]
        else:
            return REMOVED
    return wanted


@dataclass(frozen=True)
class _Source:
    """The text of a config and where its nodes are."""

    text: str

    @cached_property
    def root(self) -> yaml.Node:
        """The document's node."""
        root = yaml.compose(self.text, Loader=CoreLoader)
        assert root is not None, "an empty text is refused when it is read"  # noqa: S101 - for the type checker
        return root

    @cached_property
    def _named(self) -> list[_Named]:
        """The anchors and aliases, in the order of the text."""
        events = yaml.parse(self.text, Loader=CoreLoader)
        nodes = (event for event in events if isinstance(event, yaml.NodeEvent))
        return [_Named(node.anchor, *_span(node), isinstance(node, yaml.AliasEvent)) for node in nodes if node.anchor]

    def alias_after(self, start: int) -> tuple[int, int]:
        """Return where the first alias behind a place stands."""
        return next((named.start, named.end) for named in self._named if named.is_alias and named.start >= start)

    def spliced(self, start: int, end: int, new: str) -> str:
        """Return the text with another piece between two places.

        An anchor in between that is used further down moves to the first alias there, with its value.
        """
        text = self.text
        for anchor, alias in sorted(self._orphans(start, end), key=lambda pair: -pair[1].start):
            value = _flow(self._value_at(anchor.start))
            text = f"{text[: alias.start]}&{alias.name} {value}{text[alias.end :]}"
        return text[:start] + new + text[end:]

    def _orphans(self, start: int, end: int) -> Iterator[tuple[_Named, _Named]]:
        """Yield every anchor in a piece of the text with the first alias of it behind that piece."""
        lost: dict[str, _Named] = {}
        for named in self._named:
            if start <= named.start < end and not named.is_alias:
                lost[named.name] = named
            elif named.start >= end and named.name in lost:
                yield lost.pop(named.name), named

    def _value_at(self, start: int) -> Any:
        """Return the value of the node that starts at a place."""
        node = next(node for node in _nodes(self.root) if node.start_mark.index == start)
        return CoreLoader("").construct_document(node)

    def end(self, node: yaml.Node, after: int = -1) -> int:
        """Return where a node's own text ends, without the comments and blank lines behind it.

        `after` is the place behind which the node is mentioned: one that begins before it is there as an alias.
        """
        if node.start_mark.index < after:
            return self.alias_after(after)[1]
        if isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
            last = node.value[-1]
            return self.end(last[1], last[0].end_mark.index) if isinstance(last, tuple) else self.end(last)
        end: int = node.end_mark.index
        block_scalar = isinstance(node, yaml.ScalarNode) and node.style in ("|", ">")
        return len(self.text[:end].rstrip("\r\n")) if block_scalar else end

    def replaced(self, start: int, end: int, new: str) -> str:
        """Return the text with another piece between two places, apart from a colon or comma before it."""
        gap = " " if start and self.text[start - 1] in ":,-" else ""
        return self.spliced(start, end, gap + new)

    def with_value(self, node: yaml.Node, value: Any) -> str:
        """Return the text with another value in a node's place; its anchor stays."""
        start, end = node.start_mark.index, self.end(node)
        anchor = re.match(r"&\S+\s*", self.text[start:end])
        return self.replaced(start + (anchor.end() if anchor else 0), end, _flow(value))

    def with_value_for_block(self, key_end: int, node: yaml.Node, value: Any) -> str:
        """Return the text with a value on the line of its key, in place of a block that ends further down.

        The comment on that line stays; those on the lines of the block, and its anchor, go with it.
        """
        colon = self.text.index(":", key_end) + 1
        line_end = self.text.index("\n", colon)
        comment = re.search(r"\s*(#[^\r\n]*)?\r?$", self.text[colon:line_end])
        kept = comment[0] if comment else ""
        end = self.end(node)
        end += len(re.match(r"[^\n]*", self.text[end:])[0].rstrip("\r"))  # type: ignore[index]
        return self.spliced(colon, end, f" {_flow(value)}{kept.rstrip(chr(13))}")

    def with_entry(self, mapping: yaml.MappingNode, key: str, value: Any) -> str:
        """Return the text with one more entry at the end of a mapping, in the mapping's style."""
        entry = f"{_flow(key)}: {_flow(value)}"
        if not mapping.value:  # {}
            return self.replaced(mapping.start_mark.index, mapping.end_mark.index, f"{{{entry}}}")
        name, last = mapping.value[-1]
        end = self.end(last, name.end_mark.index)
        if mapping.flow_style:
            return f"{self.text[:end]}, {entry}{self.text[end:]}"
        line_end = end + len(re.match(r"[^\r\n]*", self.text[end:])[0])  # type: ignore[index]
        indent = " " * mapping.value[0][0].start_mark.column
        newline = "\r\n" if "\r\n" in self.text else "\n"
        return f"{self.text[:line_end]}{newline}{indent}{entry}{self.text[line_end:]}"

    def without_entry(self, mapping: yaml.MappingNode, index: int) -> str:
        """Return the text without one entry of a mapping, and without the comment on the lines that it stands on."""
        if len(mapping.value) == 1:
            return self.replaced(mapping.start_mark.index, self.end(mapping), "{}")
        name, value = mapping.value[index]
        start, end = name.start_mark.index, self.end(value, name.end_mark.index)
        if not mapping.flow_style:
            start = self.text.rfind("\n", 0, start) + 1
            end += len(re.match(r"[^\n]*\n?", self.text[end:])[0])  # type: ignore[index]
        elif index + 1 < len(mapping.value):
            end = mapping.value[index + 1][0].start_mark.index
        else:
            before, previous = mapping.value[index - 1]
            start = self.end(previous, before.end_mark.index)
        return self.spliced(start, end, "")


@dataclass(frozen=True)
class _Named:
    """An anchor, with the node that it stands before, or an alias."""

    name: str
    start: int
    end: int
    is_alias: bool


def _nodes(node: yaml.Node) -> Iterator[yaml.Node]:
    yield node
    if isinstance(node, yaml.MappingNode):
        for entry in itertools.chain.from_iterable(node.value):
            yield from _nodes(entry)
    elif isinstance(node, yaml.SequenceNode):
        for item in node.value:
            yield from _nodes(item)


def _span(event: Any) -> tuple[int, int]:
    return event.start_mark.index, event.end_mark.index


def _flow(value: Any) -> str:
    """Return a value as YAML on one line."""
    # Inside a list, text is quoted wherever a comma or a bracket would end it.
    endless = float("inf")
    text: str = yaml.dump(
        [value], Dumper=CoreDumper, default_flow_style=True, width=endless, sort_keys=False, allow_unicode=True
    )
    return text.strip()[1:-1]
