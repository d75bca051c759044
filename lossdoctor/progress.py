"""Progress of a command on stderr: a live line in a terminal, a plain line per stage elsewhere."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator

#: Called with what is being done, how many steps of it are done, and how many there are.
OnProgress = Callable[[str, int, int], None]


@contextlib.contextmanager
def progress(*, quiet: bool) -> Iterator[OnProgress]:
    """Yield a function to call with what is being done, how much of it is done, and how much there is."""
    if quiet or sys.stderr is None:  # None where whoever started the process has closed it
        yield silent
    elif sys.stderr.isatty():
        with _live() as on_progress:
            yield on_progress
    else:
        yield _plain()


@contextlib.contextmanager
def _live() -> Iterator[OnProgress]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("loading model, data and loss", total=None)
        yield lambda what, done, total: bar.update(task, description=what, completed=done, total=total)


def silent(what: str, done: int, total: int) -> None:
    """Report nothing."""


def _plain() -> OnProgress:
    announced: set[str] = set()

    def on_progress(what: str, _done: int, _total: int) -> None:
        if what not in announced:
            announced.add(what)
            with contextlib.suppress(OSError):  # nobody reads it any more
                print(what, file=sys.stderr, flush=True)

    return on_progress
