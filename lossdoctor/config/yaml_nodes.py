"""Turning YAML nodes into plain values, with the place of every key and what is wrong with it."""

from __future__ import annotations

from typing import Any

import yaml

from ..errors import Problem
from ..records import Location
from .display import shown, visible
from .keys import Keys
from .source import location, problem_at
from .yaml_core import MAP_TAG, MERGE_TAG, SEQ_TAG, core_value

Entries = dict[str, tuple[yaml.Node, yaml.Node]]  # key -> the nodes of the key and of its value


class Constructor:
    """Turns the nodes of one document into plain values.

    A value that several aliases stand for is built for each of them: changing one leaves the others alone.
    This is recursive; the depth of the nodes has been limited before (`yaml_limits.py`).
    """

    def __init__(self, file: str) -> None:
        self.file = file
        self.positions: dict[Keys, Location] = {}
        self.problems: list[Problem] = []

    def construct(self, node: yaml.Node, keys: Keys) -> Any:
        """Return the value of the node at `keys`."""
        if isinstance(node, yaml.MappingNode):
            self._check_tag(node, MAP_TAG, keys)
            entries = self._entries(node, keys)
            return {key: self._child(at, value, (*keys, key)) for key, (at, value) in entries.items()}
        if isinstance(node, yaml.SequenceNode):
            self._check_tag(node, SEQ_TAG, keys)
            return [self._child(item, item, (*keys, str(index))) for index, item in enumerate(node.value)]
        return self._scalar(node, keys)

    def _child(self, at: yaml.Node, node: yaml.Node, keys: Keys) -> Any:
        self.positions[keys] = location(self.file, at.start_mark)
        return self.construct(node, keys)

    def _scalar(self, node: yaml.Node, keys: Keys) -> Any:
        try:
            return core_value(node.tag, node.value)
        except KeyError:
            self._note_tag(node, keys)
        except ValueError as error:
            self._note(node, keys, str(error), shown(node.value))
        return node.value

    def _entries(self, node: yaml.MappingNode, keys: Keys) -> Entries:
        """Return what the mapping holds; own keys win over merged ones, earlier merges over later ones."""
        own: Entries = {}
        merged: Entries = {}
        merges = [value for key, value in node.value if key.tag == MERGE_TAG]
        for key_node, value_node in node.value:
            if key_node.tag != MERGE_TAG and (key := self._key(key_node, keys)) is not None:
                self._check_new(key_node, own, (*keys, key))
                own[key] = (key_node, value_node)
        for source in self._merge_sources(merges, keys):
            merged = self._entries(source, keys) | merged
        return merged | own

    def _merge_sources(self, merges: list[yaml.Node], keys: Keys) -> list[yaml.MappingNode]:
        if len(merges) > 1:
            advice = "write `<<: [*first, *second]`"
            self._note(merges[1], (*keys, "<<"), "each key once", "a second `<<`", advice)
        sources: list[yaml.MappingNode] = []
        for node in merges:
            for item in node.value if isinstance(node, yaml.SequenceNode) else [node]:
                if isinstance(item, yaml.MappingNode):
                    sources.append(item)
                else:
                    advice = "write `<<: *anchor`, with an anchor that stands at a mapping"
                    self._note(item, (*keys, "<<"), "a mapping to merge", _summary(item), advice)
        return sources

    def _key(self, node: yaml.Node, keys: Keys) -> str | None:
        """Return the text of a key. A number is refused: as text it would not be what was written."""
        if not isinstance(node, yaml.ScalarNode):
            self._note(node, keys, "text as a key", _summary(node), "use plain text as the key")
            return None
        key = self._scalar(node, keys)
        if not isinstance(key, str):
            advice = f'write it in quotes: "{visible(node.value)}"'
            self._note(node, keys, "text as a key", shown(key), advice)
            return None
        return key

    def _check_new(self, node: yaml.Node, known: Entries, keys: Keys) -> None:
        if keys[-1] in known:
            first = known[keys[-1]][0].start_mark.line + 1
            found = f"a second {shown(keys[-1])}, the first being on line {first}"
            self._note(node, keys, "each key once", found, "remove one of the two")

    def _check_tag(self, node: yaml.Node, tag: str, keys: Keys) -> None:
        if node.tag != tag:
            self._note_tag(node, keys)

    def _note_tag(self, node: yaml.Node, keys: Keys) -> None:
        tag = str(node.tag).replace("tag:yaml.org,2002:", "!!")
        self._note(node, keys, "a value without a tag", f"the tag {shown(tag)}", "remove the tag")

    def _note(self, node: yaml.Node, keys: Keys, expected: str, found: str, advice: str = "") -> None:
        place = location(self.file, node.start_mark)
        self.problems.append(problem_at(place, keys, expected, found, advice))


def _summary(node: yaml.Node) -> str:
    if isinstance(node, yaml.ScalarNode):
        return shown(node.value)
    return "a list" if isinstance(node, yaml.SequenceNode) else "a mapping"
