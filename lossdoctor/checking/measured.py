"""Measuring configs in processes of their own: one that raises, crashes or is killed takes no other with it."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import sys
import threading
import time
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
from ..facts.examination import Examination
from ..records import Failure
from ..report import failures_of

#: Seconds that a process gets to end by itself once it has reported; user code may have left threads behind.
_GRACE = 5.0

#: Seconds that a config may take: a diagnosis that takes half an hour is a training run, and jobs in CI end after an
#: hour or a few.
TIMEOUT = 1800.0

#: What every measurement imports. Where processes can be forked, it is imported once for all of them.
_HEAVY = ["lossdoctor.inspection", "lossdoctor.instruments.examine", "lossdoctor.setup.build"]


@dataclass(frozen=True)
class Measuring:
    """How configs are measured."""

    jobs: int = 1  #: processes at a time
    timeout: float = TIMEOUT  #: seconds for each config
    quick: bool = False
    at_step: int | None = None


@dataclass(frozen=True)
class Measured:
    """What one process reported: an examination and its circumstances, or what went wrong."""

    examination: Examination | None = None
    environment: Mapping[str, Any] | None = None
    failures: tuple[Failure, ...] = ()


@dataclass(frozen=True)
class _Running:
    """A process that measures, and until when it may."""

    process: BaseProcess
    ours: Connection
    deadline: float  #: of the clock `time.monotonic`


def measure_all(
    paths: Sequence[Path], overrides: Sequence[str], how: Measuring, on_done: Callable[[Path], None]
) -> list[Measured]:
    """Measure configs, `how.jobs` at a time; return what became of each. Runs the code that they name."""
    context = _context()
    waiting = deque(enumerate(paths))
    results: dict[int, Measured] = {}
    running: dict[int, _Running] = {}
    try:
        while waiting or running:
            while waiting and len(running) < how.jobs:
                index, path = waiting.popleft()
                running[index] = _start(context, path, overrides, how)
            for index in _finished(running):
                results[index] = _result(running.pop(index), how)
                on_done(paths[index])
    finally:
        for one in running.values():
            _kill(one.process)
    return [results[index] for index in range(len(paths))]


def _context() -> SpawnContext | ForkServerContext:
    """Return a way to start processes that know nothing of this one: no user code, and no CUDA, is carried over."""
    if sys.platform != "linux":
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(_HEAVY)
    return context


def _start(context: SpawnContext | ForkServerContext, path: Path, overrides: Sequence[str], how: Measuring) -> _Running:
    ours, theirs = context.Pipe(duplex=False)
    # Not a daemon: those may have no children, and loaders of data have.
    process = context.Process(target=_measure, args=(theirs, path, overrides, how), daemon=False)
    process.start()
    theirs.close()
    return _Running(process, ours, time.monotonic() + how.timeout)


def _finished(running: Mapping[int, _Running]) -> list[int]:
    """Wait until some process has reported, died or run out of time; return which."""
    left = min(one.deadline for one in running.values()) - time.monotonic()
    ready = wait([part for one in running.values() for part in (one.process.sentinel, one.ours)], max(left, 0))
    now = time.monotonic()
    return [
        index
        for index, one in running.items()
        if one.process.sentinel in ready or one.ours in ready or one.deadline <= now
    ]


def _result(one: _Running, how: Measuring) -> Measured:
    process, ours = one.process, one.ours
    try:
        measured = ours.recv() if ours.poll() else None
    except Exception as error:  # of a report that cannot be put together here, whatever the reason
        measured = None if isinstance(error, EOFError) else _failed(f"its report cannot be read: {error}")
    process.join(_GRACE if measured else max(one.deadline - time.monotonic(), 0))
    late = process.is_alive()
    _kill(process)
    ours.close()
    if isinstance(measured, Measured):
        return measured
    return _timed_out(how.timeout) if late else _failed(_how_it_ended(process.exitcode))


def _kill(process: BaseProcess) -> None:
    """End a process and what it has started, such as loaders of data; where that has ended already, nothing happens."""
    if process.pid is not None and hasattr(os, "killpg"):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    process.kill()
    process.join()


def _timed_out(seconds: float) -> Measured:
    advice = "Does its data end? Allow more with --timeout, or measure less with --batches or --quick."
    return _failed(f"had not reported after {seconds:g} s and was ended", advice)


def _failed(
    message: str, advice: str = "Run `lossdoctor inspect` on it to see where; the other configs are not affected."
) -> Measured:
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
    """Measure one config and report; runs in a process of its own, which leads a group that can be ended as one."""
    if hasattr(os, "setpgrp"):
        os.setpgrp()
    threading.Thread(target=_end_with_parent, daemon=True).start()
    with _stdout_to_stderr():
        theirs.send(_measured(path, overrides, how))


def _end_with_parent() -> None:
    """Wait until the command is gone, whatever ended it, and end this process and what it has started."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        if hasattr(os, "killpg"):
            os.killpg(0, signal.SIGKILL)
        os._exit(1)


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
