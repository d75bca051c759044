"""Where a report goes: which formats to stdout, which to files, and the table to the terminal."""

from __future__ import annotations

import os
import stat
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from ..errors import LossDoctorError
from . import FORMATS
from .half_blocks import show_pictures
from .rich_report import render_rich

if TYPE_CHECKING:
    from ..records import Report


@dataclass(frozen=True)
class Emission:
    """What `--format`, `--output`, `--wide` and `--quiet` come down to."""

    streams: tuple[str, ...]  #: formats for stdout
    files: tuple[tuple[str, Path], ...]
    table: bool  #: show the table in the terminal
    wide: bool

    @classmethod
    def plan(cls, formats: Sequence[str], outputs: Sequence[Path], *, wide: bool, quiet: bool) -> Emission:
        """Pair formats and files in order.

        Raises LossDoctorError, before anything is measured, for what cannot work.
        """
        if len(outputs) > len(formats):
            message = f"{len(outputs)} --output files for {len(formats)} --format options"
            raise LossDoctorError(message, "Give every --output its --format, in the same order.")
        for path in outputs:
            if path.is_dir() or not path.absolute().parent.is_dir():
                what = "is a folder" if path.is_dir() else "lies in a folder that does not exist"
                message = f"--output {path} {what}"
                raise LossDoctorError(message, "Name a file in an existing folder.")
        streams = tuple(formats[len(outputs) :])
        table = not quiet and streams != ("rich",)
        return cls(streams, tuple(zip(formats, outputs, strict=False)), table, wide)

    def write(self, *reports: Report) -> None:
        """Write the reports everywhere. The table gives way to stderr where stdout holds another format."""
        for name, path in self.files:
            write_atomically(path, FORMATS[name](reports))
        if self.table:
            console = _Console(stderr=bool(self.streams), soft_wrap=False)
            console.print(render_rich(reports, wide=self.wide))
            for report in reports:
                show_pictures(console, report.trial.files if report.trial else ())
        for name in self.streams:
            if name == "rich":
                _Console().print(render_rich(reports, wide=self.wide))
            else:
                # Files and pipes are UTF-8 whatever the terminal's encoding is.
                sys.stdout.buffer.write(FORMATS[name](reports).encode())
                sys.stdout.flush()


class _Console(Console):
    """A console that leaves a reader's leaving early to the command line: exit code 1 means something else here."""

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError


def write_atomically(path: Path, text: str) -> None:
    """Write a text file whole or not at all. Raises LossDoctorError where it cannot be written."""
    temporary = None
    try:
        if path.exists() and not path.is_file():  # a pipe or a device cannot be replaced
            path.write_text(text, encoding="utf-8")
            return
        target = path.resolve()  # behind a link
        with tempfile.NamedTemporaryFile("w", encoding="utf-8", dir=target.parent, delete=False) as file:
            temporary = Path(file.name)
            file.write(text)
        temporary.chmod(_mode(target))
        temporary.replace(target)
    except OSError as error:
        if temporary is not None:
            temporary.unlink(missing_ok=True)
        message = f"cannot write {path}: {error.strerror or error}"
        raise LossDoctorError(message, "Check the folder's permissions and free space.") from error


def _mode(path: Path) -> int:
    """Return the permissions that an ordinary write would leave; a temporary file's are its owner's alone."""
    if path.exists():
        return stat.S_IMODE(path.stat().st_mode)
    umask = os.umask(0)
    os.umask(umask)
    return 0o666 & ~umask
