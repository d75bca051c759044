"""stdout belongs to the reports: what else would write to it, and readers that leave early."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator

from ..errors import LossDoctorError
from ..printable import in_ascii


@contextlib.contextmanager
def stdout_kept_for_reports() -> Iterator[None]:
    """Send to stderr what user code prints, what libraries in C and subprocesses print included."""
    if sys.__stdout__ is None or sys.__stderr__ is None:  # closed by whoever started the process
        with contextlib.redirect_stdout(sys.stderr):
            yield
        return
    report = os.dup(1)
    os.dup2(2, 1)
    try:
        with contextlib.redirect_stdout(sys.stderr):
            yield
    finally:
        sys.__stdout__.flush()
        os.dup2(report, 1)
        os.close(report)


@contextlib.contextmanager
def writing_explained() -> Iterator[None]:
    """Let the reader of stdout leave early, as `| head` does, and the verdict stand. Raises LossDoctorError else."""
    try:
        yield
        if sys.stdout is not None:
            sys.stdout.flush()
    except BrokenPipeError:
        _discard_stdout()
    except OSError as error:
        _discard_stdout()
        message = f"cannot write to stdout: {error.strerror or error}"
        raise LossDoctorError(message, "Check the free space, or name a file with --output.") from error


def _discard_stdout() -> None:
    """Send what is still buffered nowhere: Python would fail at it once more when it exits."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


def encodable(text: str) -> str:
    """Return text as it is, or in ASCII where the encoding of stdout lacks one of its characters."""
    try:
        text.encode(getattr(sys.stdout, "encoding", None) or "utf-8")
    except UnicodeEncodeError:
        return "\n".join(map(in_ascii, text.splitlines()))
    return text
