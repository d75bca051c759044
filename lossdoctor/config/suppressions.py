"""Comments in a config that accept findings: `lab: {…}  # lossdoctor: ignore LD201, LD106`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..records import Location

if TYPE_CHECKING:
    import yaml

#: A comment begins a line or follows a space. What stands after the codes is for people: the reason, say.
_COMMENT = re.compile(r"(?:^|(?<=\s))#\s*lossdoctor:\s*ignore\b[\s:]*((?:LD\w*(?:\s*,\s*|\s+)?)*)", re.MULTILINE)
_CODE = re.compile(r"LD\w*")


@dataclass(frozen=True)
class Suppression:
    """A comment that accepts findings at the key on its line and below that key."""

    codes: tuple[str, ...]  #: codes or their beginnings, as written; empty where the comment names none
    location: Location  #: of the comment


def find_suppressions(text: str, file: str) -> tuple[Suppression, ...]:
    """Return the comments of a YAML text that accept findings; the text has been parsed before.

    What looks like one inside a quoted or block scalar is text.
    """
    if "lossdoctor:" not in text:
        return ()
    scalars = [(_place(token.start_mark), _place(token.end_mark)) for token in _scalars(text)]
    found = []
    for match in _COMMENT.finditer(text):
        line, column = text.count("\n", 0, match.start()), match.start() - text.rfind("\n", 0, match.start()) - 1
        if not any(start <= (line, column) < end for start, end in scalars):
            found.append(Suppression(tuple(_CODE.findall(match[1])), Location(file, line + 1, column + 1)))
    return tuple(found)


def _scalars(text: str) -> Iterator[yaml.ScalarToken]:
    import yaml

    from .yaml_core import CoreLoader

    return (token for token in yaml.scan(text, Loader=CoreLoader) if isinstance(token, yaml.ScalarToken))


def _place(mark: yaml.Mark) -> tuple[int, int]:
    return mark.line, mark.column
