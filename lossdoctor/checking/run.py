"""One check: from paths to a report for every config among them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..config.schema import Config
from ..errors import LossDoctorError
from ..records import Report, Verdict
from ..report import build_report, failed_report
from ..rules.base import Case
from .baseline_file import BaselineFile
from .discovery import Candidate, discover
from .static import Foreign, load_candidate

# Starting processes takes modules that a static check, which is to be quick, has no use for.
if TYPE_CHECKING:
    from .measured import Measured, Measuring

COMMAND = "check"


def _say_nothing(path: Path) -> None:
    """Report no progress."""


@dataclass(frozen=True)
class Checked:
    """What a check found."""

    reports: tuple[Report, ...]
    configs: tuple[Config, ...]  #: those of the reports without a failure, in the same order
    foreign: int = 0  #: YAML files that were found and are no configs of lossdoctor
    notes: tuple[str, ...] = ()  #: what was found and not read, and why


@dataclass(frozen=True)
class Options:
    """How to check."""

    overrides: Sequence[str] = ()
    baseline: BaselineFile | None = None
    measuring: Measuring | None = None  #: None for a static check, which runs no code
    on_measured: Callable[[Path], None] = _say_nothing


def check(paths: Iterable[str], options: Options) -> Checked:
    """Check every config among files, folders and patterns.

    Raises LossDoctorError where there is none at all: a check of nothing must not pass.
    """
    paths = list(paths)
    candidates = discover(paths, options.baseline.configs if options.baseline else ())
    outcomes = [_load(candidate, options.overrides) for candidate in candidates]
    configs = [outcome for outcome in outcomes if isinstance(outcome, Config)]
    if all(isinstance(outcome, Foreign) for outcome in outcomes):
        message = f"no config of lossdoctor in {', '.join(paths)}"
        raise LossDoctorError(message, "Name the file itself to learn why it is not recognised.")
    judged = iter(_judge(configs, options))
    reports = [next(judged) if isinstance(outcome, Config) else outcome for outcome in outcomes]
    foreign = [outcome for outcome in outcomes if isinstance(outcome, Foreign)]
    notes = tuple(outcome.note for outcome in foreign if outcome.note)
    return Checked(
        reports=tuple(report for report in reports if isinstance(report, Report)),
        configs=tuple(configs),
        foreign=len(foreign) - len(notes),
        notes=notes,
    )


def _load(candidate: Candidate, overrides: Sequence[str]) -> Config | Report | Foreign:
    """Return the config of a file, a report on why it cannot be used, or that it is no config at all."""
    path = str(candidate.path)
    try:
        if candidate.note and not candidate.named:
            return Foreign(f"{path}: {candidate.note}")
        if candidate.note:
            message = f"{path}: {candidate.note}"
            raise LossDoctorError(message, "Name a config file, or a folder of them.")
        return load_candidate(candidate.path, overrides, named=candidate.named)
    except LossDoctorError as error:
        return failed_report(error, command=COMMAND, config=path)


def _judge(configs: Sequence[Config], options: Options) -> list[Report]:
    """Return the reports on configs, by what was measured or by what they let expect."""
    if options.measuring is None:
        return [_report(config, None, options.baseline) for config in configs]
    from .measured import measure_all

    paths = [config.path for config in configs]
    measured = measure_all(paths, options.overrides, options.measuring, options.on_measured)
    return [_report(config, one, options.baseline) for config, one in zip(configs, measured, strict=True)]


def _report(config: Config, measured: Measured | None, baseline: BaselineFile | None) -> Report:
    examination, environment = (measured.examination, measured.environment) if measured else (None, None)
    case = Case(config, examination, baseline=baseline.of(config.path) if baseline else None)
    report = build_report(case, command=COMMAND, config=str(config.path), environment=environment or {})
    if measured is None or not measured.failures:
        return report
    # What the config alone lets expect still stands.
    return replace(report, verdict=Verdict.ERROR, environment={}, failures=measured.failures)
