"""Measuring configs in processes of their own: one that raises, crashes or is killed takes no other with it."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import sys
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkServerContext, SpawnContext
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from ..config.load import load_config
from ..errors import LossDoctorError
from ..records import Examination, Failure
from ..report import failures_of

#: Seconds that a process gets to end by itself once it has reported; user code may have left threads behind.
_GRACE = 5.0

#: What every measurement imports. Where processes can be forked, it is imported once for all of them.
_HEAVY = ["lossdoctor.inspection", "lossdoctor.instruments.examine", "lossdoctor.setup.build"]


@dataclass(frozen=True)
class Measuring:
    """How configs are measured."""

    jobs: int = 1  #: processes at a time
    quick: bool = False
    at_step: int | None = None


@dataclass(frozen=True)
class Measured:
    """What one process reported: an examination and its circumstances, or what went wrong."""

    examination: Examination | None = None
    environment: Mapping[str, Any] | None = None
    failures: tuple[Failure, ...] = ()


def measure_all(
    paths: Sequence[Path], overrides: Sequence[str], how: Measuring, on_done: Callable[[Path], None]
) -> list[Measured]:
    """Measure configs, `how.jobs` at a time; return what became of each. Runs the code that they name."""
    context = _context()
    waiting = deque(enumerate(paths))
    results: dict[int, Measured] = {}
    running: dict[int, tuple[BaseProcess, Connection]] = {}
    try:
        while waiting or running:
            while waiting and len(running) < how.jobs:
                index, path = waiting.popleft()
                running[index] = _start(context, path, overrides, how)
            for index in _finished(running):
                results[index] = _result(*running.pop(index))
                on_done(paths[index])
    finally:
        for process, _ in running.values():
            process.kill()
    return [results[index] for index in range(len(paths))]


def _context() -> SpawnContext | ForkServerContext:
    """Return a way to start processes that know nothing of this one: no user code, and no CUDA, is carried over."""
    if sys.platform != "linux":
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(_HEAVY)
    return context


def _start(
    context: SpawnContext | ForkServerContext, path: Path, overrides: Sequence[str], how: Measuring
) -> tuple[BaseProcess, Connection]:
    ours, theirs = context.Pipe(duplex=False)
    # Not a daemon: those may have no children, and loaders of data have.
    process = context.Process(target=_measure, args=(theirs, path, overrides, how), daemon=False)
    process.start()
    theirs.close()
    return process, ours


def _finished(running: Mapping[int, tuple[BaseProcess, Connection]]) -> list[int]:
    """Wait until some process has reported or died; return which."""
    ready = wait([part for process, ours in running.values() for part in (process.sentinel, ours)])
    return [index for index, (process, ours) in running.items() if process.sentinel in ready or ours in ready]


def _result(process: BaseProcess, ours: Connection) -> Measured:
    try:
        measured = ours.recv() if ours.poll() else None
    except Exception as error:  # of a report that cannot be put together here, whatever the reason
        measured = None if isinstance(error, EOFError) else _failed(f"its report cannot be read: {error}")
    process.join(_GRACE if measured else None)
    if process.is_alive():
        process.kill()
        process.join()
    ours.close()
    return measured if isinstance(measured, Measured) else _failed(_how_it_ended(process.exitcode))


def _failed(message: str) -> Measured:
    advice = "Run `lossdoctor inspect` on it to see where; the other configs are not affected."
    return Measured(failures=(Failure(f"the process that measured it {message}", advice=advice),))


def _how_it_ended(code: int | None) -> str:
    if code is None or code >= 0:
        return f"ended with exit code {code} before it had reported"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    return f"was killed by {name}" + (": out of memory?" if name == "SIGKILL" else "")


def _measure(theirs: Connection, path: Path, overrides: Sequence[str], how: Measuring) -> None:
    """Measure one config and report; runs in a process of its own."""
    with _stdout_to_stderr():
        theirs.send(_measured(path, overrides, how))


def _measured(path: Path, overrides: Sequence[str], how: Measuring) -> Measured:
    from ..inspection import inspect_config

    try:
        inspection = inspect_config(load_config(path, overrides), quick=how.quick, at_step=how.at_step)
    except LossDoctorError as error:
        return Measured(failures=failures_of(error))
    except Exception as error:
        what = f"unexpected {type(error).__name__}: {error}"
        return Measured(failures=(Failure(what, advice="Run `lossdoctor inspect --traceback` on it to see where."),))
    return Measured(inspection.case.examination, inspection.report.environment)


@contextlib.contextmanager
def _stdout_to_stderr() -> Iterator[None]:
    """Leave stdout to the reports: what user code prints goes to stderr."""
    with contextlib.suppress(OSError):  # closed by whoever started the command
        os.dup2(2, 1)
    with contextlib.redirect_stdout(sys.stderr):
        yield
