"""One check: from paths to a report for every config among them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ..errors import LossDoctorError
from ..records import Report
from ..report import build_report, failed_report
from ..rules.base import Case
from .discovery import Candidate, discover
from .static import Foreign, load_candidate

COMMAND = "check"


@dataclass(frozen=True)
class Checked:
    """What a check found."""

    reports: tuple[Report, ...]
    foreign: int  #: YAML files that were found and are no configs of lossdoctor
    notes: tuple[str, ...]  #: what was found and not read, and why


def check(paths: Iterable[str], *, overrides: Sequence[str] = ()) -> Checked:
    """Check every config among files, folders and patterns.

    Raises LossDoctorError where there is none at all: a check of nothing must not pass.
    """
    paths = list(paths)
    outcomes = [(candidate, _check(candidate, overrides)) for candidate in discover(paths)]
    reports = tuple(outcome for _, outcome in outcomes if isinstance(outcome, Report))
    foreign = [outcome for _, outcome in outcomes if isinstance(outcome, Foreign)]
    if not reports:
        message = f"no config of lossdoctor in {', '.join(paths)}"
        raise LossDoctorError(message, "Name the file itself to learn why it is not recognised.")
    notes = tuple(outcome.note for outcome in foreign if outcome.note)
    return Checked(reports, len(foreign) - len(notes), notes)


def _check(candidate: Candidate, overrides: Sequence[str]) -> Report | Foreign:
    path = str(candidate.path)
    try:
        if candidate.note:
            if not candidate.named:
                return Foreign(f"{path}: {candidate.note}")
            message = f"{path}: {candidate.note}"
            raise LossDoctorError(message, "Name a config file, or a folder of them.")
        config = load_candidate(candidate.path, overrides, named=candidate.named)
    except LossDoctorError as error:
        return failed_report(error, command=COMMAND, config=path)
    if isinstance(config, Foreign):
        return config
    return build_report(Case(config=config), command=COMMAND, config=path, environment={})
