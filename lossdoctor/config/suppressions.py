"""Comments in a config that accept findings: `lab: {…}  # lossdoctor: ignore LD201, LD106`."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..records import Location
from .source import refuse

if TYPE_CHECKING:
    import yaml

#: A comment begins a line or follows a space. What stands after the codes is for people: the reason, say.
_COMMENT = re.compile(r"(?:^|(?<=\s))#[ \t]*lossdoctor:[ \t]*ignore\b[ \t:]*((?:LD\w*[ \t]*,?[ \t]*)*)", re.MULTILINE)
_CODE = re.compile(r"LD\w*")
_LINE_END = re.compile(r"\r\n?|\n")

#: Each is compared with each finding.
MAX_SUPPRESSIONS = 1000


@dataclass(frozen=True)
class Suppression:
    """A comment that accepts findings at the key on its line and below that key."""

    codes: tuple[str, ...]  #: codes or their beginnings, as written; empty where the comment names none
    location: Location  #: of the comment


def find_suppressions(text: str, file: str) -> tuple[Suppression, ...]:
    """Return the comments of a YAML text that accept findings; the text has been parsed before.

    What looks like one inside a quoted or block scalar is text. Raises ConfigError for more than a thousand.
    """
    if "lossdoctor:" not in text:
        return ()
    lines = [0, *(end.end() for end in _LINE_END.finditer(text))]
    scalars = [(_place(token.start_mark), _place(token.end_mark)) for token in _scalars(text)]
    found = []
    for match in _COMMENT.finditer(text):
        line = bisect_right(lines, match.start()) - 1
        column = match.start() - lines[line]
        if not _is_inside((line, column), scalars):
            found.append(Suppression(tuple(_CODE.findall(match[1])), Location(file, line + 1, column + 1)))
    if len(found) > MAX_SUPPRESSIONS:
        place = found[MAX_SUPPRESSIONS].location
        refuse(place, f"at most {MAX_SUPPRESSIONS:,} comments that accept findings", "more", "use `rules.ignore`")
    return tuple(found)


def _is_inside(place: tuple[int, int], scalars: Sequence[tuple[tuple[int, int], tuple[int, int]]]) -> bool:
    """Whether a place is inside one of the scalars, which are in the order of the text."""
    before = bisect_right(scalars, place, key=lambda scalar: scalar[0])
    return before > 0 and place < scalars[before - 1][1]


def _scalars(text: str) -> Iterator[yaml.ScalarToken]:
    import yaml

    from .yaml_core import CoreLoader

    return (token for token in yaml.scan(text, Loader=CoreLoader) if isinstance(token, yaml.ScalarToken))


def _place(mark: yaml.Mark) -> tuple[int, int]:
    return mark.line, mark.column
