"""Refusing YAML that would be too large to build, from its events alone.

Ten short lines of aliases can stand for a billion values, and building deeply nested values is recursive.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NoReturn

import yaml

from ..records import Location
from .display import shown
from .source import location, refuse

MAX_ALIASES = 100
MAX_DEPTH = 50
MAX_NODES = 100_000

_ADVICE = "is this really a config file?"


def check_limits(events: Iterable[yaml.Event], file: str) -> None:
    """Raise ConfigError where the events go beyond the limits; no event after that is asked for."""
    outline = _Outline(file)
    for event in events:
        outline.follow(event)


def refuse_depth(place: Location) -> NoReturn:
    """Raise ConfigError for a document that is nested too deep."""
    refuse(place, f"at most {MAX_DEPTH} levels of nesting", "more", _ADVICE)


@dataclass
class _Extent:
    """How large a node is once its aliases are followed."""

    nodes: int = 1
    height: int = 0  #: levels of collections below one another, its own included
    anchor: str | None = None


_LEAF = _Extent()


@dataclass
class _Outline:
    """The sizes of a document's nodes, as far as its events have been followed."""

    file: str
    documents: int = 0
    aliases: int = 0
    anchored: dict[str, _Extent] = field(default_factory=dict)
    around: list[_Extent] = field(default_factory=lambda: [_Extent()])  #: document, open collections

    def follow(self, event: yaml.Event) -> None:
        match event:
            case yaml.ScalarEvent(anchor=None):
                self._count(event, _LEAF)
            case yaml.ScalarEvent():
                self._add(event, _Extent(anchor=event.anchor))
            case yaml.CollectionStartEvent():
                self._open(event)
            case yaml.CollectionEndEvent():
                self._add(event, self.around.pop())
            case yaml.AliasEvent():
                self._alias(event)
            case yaml.DocumentStartEvent():
                self._document(event)

    def _open(self, event: yaml.CollectionStartEvent) -> None:
        self.around.append(_Extent(anchor=event.anchor, height=1))
        self._check_depth(event, 0)

    def _add(self, event: yaml.Event, extent: _Extent) -> None:
        if extent.anchor is not None:
            self.anchored[extent.anchor] = extent
        self._count(event, extent)

    def _alias(self, event: yaml.AliasEvent) -> None:
        self.aliases += 1
        if self.aliases > MAX_ALIASES:
            self._refuse(event, f"at most {MAX_ALIASES} aliases", "more", "write the values out")
        if event.anchor in (extent.anchor for extent in self.around):
            found = f"{shown(event.anchor)} inside itself"
            self._refuse(event, "values that end", found, "remove this alias")
        # An anchor that nothing defines is the composer's to report.
        extent = self.anchored.get(str(event.anchor), _Extent())
        self._check_depth(event, extent.height)
        self._count(event, extent)

    def _document(self, event: yaml.DocumentStartEvent) -> None:
        self.documents += 1
        if self.documents > 1:
            self._refuse(event, "one document", "a second one", "remove this `---`, or split the file here")

    def _count(self, event: yaml.Event, extent: _Extent) -> None:
        parent = self.around[-1]
        parent.nodes += extent.nodes
        parent.height = max(parent.height, extent.height + 1)
        if parent.nodes > MAX_NODES:
            found = "more, with every alias counted as what it stands for"
            self._refuse(event, f"at most {MAX_NODES:,} values", found, _ADVICE)

    def _check_depth(self, event: yaml.Event, below: int) -> None:
        if len(self.around) - 1 + below > MAX_DEPTH:
            refuse_depth(location(self.file, event.start_mark))

    def _refuse(self, event: yaml.Event, expected: str, found: str, advice: str) -> None:
        refuse(location(self.file, event.start_mark), expected, found, advice)
