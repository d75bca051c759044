"""Findings that were accepted before, and acceptances that accept nothing (any more).

There are three ways to accept a finding: a comment in the config, at the key or at one around it; the list
`rules.ignore`; and a baseline. What is accepted is out of the report, and so is what it explains.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from .records import Finding, Location
from .rules.base import Case

if TYPE_CHECKING:
    from .config.schema import Config
    from .config.suppressions import Suppression


@dataclass(frozen=True)
class Acceptance:
    """One code, or beginning of codes, that somebody accepted somewhere."""

    code: str
    where: str  #: as the beginning of a sentence: "the comment"
    accepts: Callable[[Finding], bool]
    location: Location | None = None
    objective: str = ""
    components: tuple[str, ...] = ()


def ignored(case: Case, ignore: Sequence[str]) -> Iterator[Acceptance]:
    """Yield what `rules.ignore` accepts as it stands in the config; what the command line ignores is no debt."""
    for index, code in enumerate(ignore):
        keys = ("rules", "ignore", str(index))
        if case.config and keys in case.config.positions:
            yield Acceptance(code, "rules.ignore", partial(_has_code, code), case.locate(*keys))


def acceptances(case: Case) -> Iterator[Acceptance]:
    """Yield what the comments of the config and the baseline accept."""
    if case.config and case.config.suppressions:
        lines = _lines(case.config)
        for comment in case.config.suppressions:
            for code in comment.codes:
                accepts = partial(_is_commented, case, lines, comment, code)
                yield Acceptance(code, "the comment", accepts, comment.location)
    for known in case.baseline.findings if case.baseline else ():
        place = case.locate_component(known.components[0]) if known.components else case.locate("loss")
        yield Acceptance(known.code, "the baseline", known.accepts, place, known.objective, known.components)


def remaining(findings: Iterable[Finding], acceptances: Sequence[Acceptance]) -> list[Finding]:
    """Return the findings that nobody accepted, without those that an accepted one explains."""
    findings = list(findings)
    left = [finding for finding in findings if not any(each.accepts(finding) for each in acceptances)]
    causes = {(finding.objective, finding.code) for finding in left}
    return [
        finding
        for finding in left
        if finding.explained_by is None or (finding.objective, finding.explained_by) in causes
    ]


def _has_code(code: str, finding: Finding) -> bool:
    return finding.code.startswith(code)


_Lines = Mapping[Location | None, frozenset[int]]


def _is_commented(case: Case, lines: _Lines, comment: Suppression, code: str, finding: Finding) -> bool:
    """Whether a comment has part in accepting a finding: at its place, or, with others, at all of its components."""
    if not finding.code.startswith(code) or case.config is None:
        return False
    nothing = frozenset[int]()
    place = lines.get(finding.location, nothing)
    components = [lines.get(case.locate_component(name), nothing) for name in finding.components]
    if comment.location.line not in place.union(*components):
        return False
    commented = {each.location.line for each in case.config.suppressions if finding.code.startswith(each.codes)}
    return bool(place & commented) or (bool(components) and all(part & commented for part in components))


def _lines(config: Config) -> _Lines:
    """Return, for every place of a key, the lines of the keys that are written there, and of the keys around them."""
    lines: dict[Location | None, frozenset[int]] = {}
    for keys, place in config.positions.items():
        around = {config.positions[keys[:length]].line for length in range(1, len(keys) + 1)}
        lines[place] = lines.get(place, frozenset()) | around
    return lines
