"""Findings that were accepted before, and acceptances that accept nothing (any more).

There are three ways to accept a finding: a comment in the config, at the key or at one around it; the list
`rules.ignore`; and a baseline. What is accepted is out of the report, and so is what it explains.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
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
    for comment in case.config.suppressions if case.config else ():
        for code in comment.codes:
            yield Acceptance(code, "the comment", partial(_is_commented, case, comment, code), comment.location)
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


def _is_commented(case: Case, comment: Suppression, code: str, finding: Finding) -> bool:
    """Whether a comment has part in accepting a finding: at its place, or, with others, at all of its components."""
    if not finding.code.startswith(code) or case.config is None:
        return False
    comments = [other for other in case.config.suppressions if finding.code.startswith(other.codes)]
    lines = {other.location.line for other in comments}
    place = _lines(case.config, finding.location)
    components = [_lines(case.config, case.locate_component(name)) for name in finding.components]
    accepted = bool(place & lines) or (bool(components) and all(part & lines for part in components))
    return accepted and comment.location.line in place.union(*components)


def _lines(config: Config, place: Location | None) -> set[int]:
    """Return the lines of the key that is written at a place, and of the keys around it."""
    spots = [keys for keys, location in config.positions.items() if location == place]
    return {config.positions[keys[:length]].line for keys in spots for length in range(1, len(keys) + 1)}
