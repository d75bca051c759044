"""Running a variant of a case, and comparing what was reported with what was expected."""

from __future__ import annotations

import multiprocessing
import re
import time
import traceback
import warnings
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace

import lossdoctor
from lossdoctor.config.load import load_config, parse_config
from lossdoctor.records import Finding, Severity

from .cases import Case

PROCESSES = 2


@dataclass(frozen=True)
class Outcome:
    """What became of one variant of a case."""

    case: Case
    variant: str
    seconds: float = 0.0  #: of the whole `inspect`, building included
    findings: tuple[Finding, ...] = ()
    crash: str = ""  #: the traceback, where nothing was reported

    @property
    def expected(self) -> tuple[Finding, ...]:
        """The findings of the expected code, at the expected level or above."""
        least = Severity(self.case.level)
        return tuple(f for f in self.findings if f.code == self.case.expects and f.severity.at_least(least))

    @property
    def found(self) -> bool:
        """Whether the expected code was reported."""
        return bool(self.expected)

    @property
    def right_component(self) -> bool:
        """Whether it was found in exactly the components that have the fault."""
        if not self.case.components:
            return self.found
        named = {(f.objective, component) for f in self.expected for component in f.components}
        return named == set(self.case.places)

    @property
    def right_cause(self) -> bool:
        """Whether a message or its evidence names the cause."""
        return any(re.search(self.case.cause, f"{f.message} {dict(f.evidence)}", re.DOTALL) for f in self.expected)

    @property
    def stray_errors(self) -> tuple[Finding, ...]:
        """Errors that are neither the fault nor tolerated beside it: for a healthy case every error."""
        welcome = {self.case.expects, *self.case.tolerated}
        return tuple(f for f in self.findings if f.severity is Severity.ERROR and f.code not in welcome)

    @property
    def alarms(self) -> tuple[Finding, ...]:
        """Warnings of a healthy case that it does not account for."""
        return tuple(f for f in self.findings if f.severity is Severity.WARNING and f.code not in self.case.warnings)

    @property
    def verdict(self) -> str:
        """What is to be said of it in one word or two; "right" where there is nothing to complain of."""
        if self.crash:
            return "crashed"
        if self.stray_errors:
            return "stray error"
        if self.case.expects is None:
            return "false alarm" if self.alarms else "right"
        if not self.found:
            return "missed"
        if not self.right_component:
            return "wrong component"
        return "right" if self.right_cause else "wrong cause"

    def describe(self) -> str:
        """Return the verdict, what was expected and what was reported, a line for each finding."""
        case = self.case
        wanted = f"{case.expects} on {', '.join(map('.'.join, case.places)) or '-'}" if case.expects else "nothing"
        lines = [f"{case.path}[{self.variant}]: {self.verdict}; expected {wanted} ({case.cites})", self.crash]
        for f in self.findings:
            because = f" (explained by {f.explained_by})" if f.explained_by else ""
            lines.append(
                f"    {f.severity.value} {f.code} {f.objective}: {', '.join(f.components)}{because}: {f.message}"
            )
        return "\n".join(line for line in lines if line)


def run(case: Case, variant: str) -> Outcome:
    """Inspect one variant of a case as a user would. An exception is an outcome too."""
    config = case.variants[variant]
    started = time.perf_counter()
    outcome = Outcome(case, variant)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch warns of some faults too, and must not be what is tested
            if isinstance(config, str):
                report = lossdoctor.inspect(load_config(case.folder / config))
            else:
                report = lossdoctor.inspect(parse_config(config, case.folder / "config.yaml"))
    except Exception:
        return replace(outcome, crash=traceback.format_exc(), seconds=time.perf_counter() - started)
    return replace(outcome, findings=report.findings, seconds=time.perf_counter() - started)


def run_all(runs: Sequence[tuple[Case, str]]) -> list[Outcome]:
    """Run variants side by side, in processes of one thread each."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(PROCESSES, context, initializer=_one_thread) as pool:
        return list(pool.map(run, *zip(*runs, strict=True), chunksize=1)) if runs else []


def _one_thread() -> None:
    """Keep the processes out of each other's way."""
    import torch

    torch.set_num_threads(1)
