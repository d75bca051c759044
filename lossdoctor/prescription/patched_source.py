"""Running the user's code as patches would make it, while the files stay as they are."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from importlib.util import spec_from_file_location
from types import ModuleType


class _Loader(SourceFileLoader):
    """Loads a file with another text than it has."""

    def __init__(self, name: str, path: str, text: str) -> None:
        super().__init__(name, path)
        self._text = text

    def get_data(self, path: str) -> bytes:  # noqa: ARG002 - the method's own signature
        return self._text.encode()

    def path_stats(self, path: str) -> Mapping[str, float]:
        raise OSError(path)  # no bytecode of the file as it is


class _Finder(MetaPathFinder):
    """Finds modules where they would be found, and those of some files with other texts."""

    def __init__(self, texts: Mapping[str, str]) -> None:
        self._texts = {os.path.realpath(path): text for path, text in texts.items()}

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        found = PathFinder.find_spec(name, path, target)
        text = self._texts.get(os.path.realpath(found.origin)) if found and found.origin else None
        if found is None or found.origin is None or text is None:
            return None
        return spec_from_file_location(
            name,
            found.origin,
            loader=_Loader(name, found.origin, text),
            submodule_search_locations=found.submodule_search_locations,
        )


@contextlib.contextmanager
def sources_replaced(texts: Mapping[str, str]) -> Iterator[None]:
    """Import modules whose file is among `texts` (path -> text) from that text. Those imported before stay."""
    finder = _Finder(texts)
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
