"""Where a report goes: which formats to stdout, which to files, and the table to the terminal."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from ..atomic import write_atomically
from ..errors import LossDoctorError
from ..records import Report
from . import FORMATS
from .rich_report import render_rich


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

    def write(self, report: Report) -> None:
        """Write the report everywhere. The table gives way to stderr where stdout holds another format."""
        for name, path in self.files:
            write_atomically(path, FORMATS[name](report).encode())
        if self.table:
            console = _Console(stderr=bool(self.streams), soft_wrap=False)
            console.print(render_rich(report, wide=self.wide))
        for name in self.streams:
            if name == "rich":
                _Console().print(render_rich(report, wide=self.wide))
            else:
                # Files and pipes are UTF-8 whatever the terminal's encoding is.
                sys.stdout.buffer.write(FORMATS[name](report).encode())
                sys.stdout.flush()


class _Console(Console):
    """A console that leaves a reader's leaving early to the command line: exit code 1 means something else here."""

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError
