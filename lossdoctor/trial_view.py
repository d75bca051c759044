"""A trial while it runs, on stderr: sparklines in a terminal, a plain line now and then elsewhere."""

from __future__ import annotations

import contextlib
import itertools
import math
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from .printable import printable
from .progress import OnProgress, progress, silent
from .reports.number_format import number
from .trial_records import Curve, Evaluation, Number

if TYPE_CHECKING:
    from rich.console import RenderableType

#: Takes the steps made, and the curve of every objective so far.
Look = Callable[[int, Sequence[Curve]], None]

BARS = "▁▂▃▄▅▆▇█"
WIDTH = 32  #: characters of a sparkline
PLAIN_LINES = 10  #: of a run


class TrialView:
    """What a command shows while it works; this one shows nothing."""

    def __init__(self, on_progress: OnProgress = silent) -> None:
        self.on_progress = on_progress  #: for the diagnosis before the run
        self.metrics: dict[str, float | None] = {}  #: of the last evaluation

    def evaluated(self, evaluation: Evaluation) -> None:
        """Take the metrics of an evaluation. They are named with its data: the run shows the components as well."""
        self.metrics.update((f"{evaluation.split} {name}", value) for name, value in evaluation.metrics.items())

    def watch(self, what: str, steps: int, start: int = 0, *, later: int = 0) -> Look:  # noqa: ARG002 - for those that show something
        """Announce a run of so many steps, and how many like it are to follow; return what to call as it goes on.

        A run that is resumed goes on from the step `start`.
        """
        return lambda _step, _curves: None


@contextlib.contextmanager
def trial_view(*, quiet: bool) -> Iterator[TrialView]:
    """Yield the view for this stderr. The diagnosis before the run is shown as `inspect` shows it."""
    with contextlib.ExitStack() as shown:
        on_progress = shown.enter_context(progress(quiet=quiet))
        if quiet or sys.stderr is None:
            yield TrialView()
        elif sys.stderr.isatty():
            yield _InTerminal(on_progress, shown)
        else:
            yield _Plain(on_progress)


class _Plain(TrialView):
    def watch(self, what: str, steps: int, start: int = 0, *, later: int = 0) -> Look:
        self.metrics.clear()  # those of the run before
        every, shown, left = max(steps // PLAIN_LINES, 1), -1, _time_left(steps, start, later)

        def look(step: int, curves: Sequence[Curve]) -> None:
            nonlocal shown
            if step // every > shown or step == steps:
                shown = step // every
                numbers = [f"{printable(name)} {number(series[-1])}" for name, series in _series(curves)]
                numbers += [f"{printable(name)} {number(value)}" for name, value in self.metrics.items()]
                with contextlib.suppress(OSError):  # nobody reads it any more
                    print(
                        f"{what}, step {step}/{steps}, {left(step)}: {', '.join(numbers)}", file=sys.stderr, flush=True
                    )

        return look


class _InTerminal(TrialView):
    def __init__(self, on_progress: OnProgress, shown: contextlib.ExitStack) -> None:
        super().__init__(on_progress)
        self._shown = shown

    def watch(self, what: str, steps: int, start: int = 0, *, later: int = 0) -> Look:
        from rich.console import Console
        from rich.live import Live

        self._shown.close()  # what showed the stage before
        self.metrics.clear()
        live = self._shown.enter_context(Live(console=Console(stderr=True), transient=True, auto_refresh=False))
        left = _time_left(steps, start, later)

        def look(step: int, curves: Sequence[Curve]) -> None:
            title = f"{what}: step {step} of {steps}, {left(step)}"
            live.update(_table(title, curves, self.metrics), refresh=True)

        return look


def _time_left(steps: int, start: int, later: int) -> Callable[[int], str]:
    """Return what tells, from the pace so far, how long it takes until this run and those that follow are over."""
    began = time.monotonic()

    def left(step: int) -> str:
        seconds = (time.monotonic() - began) / max(step - start, 1) * (steps - step + later * steps)
        return f"{seconds:.0f} s left"

    return left


def _table(title: str, curves: Sequence[Curve], metrics: Mapping[str, float | None]) -> RenderableType:
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    grid = Table.grid(padding=(0, 2))
    for name, series in _series(curves):
        grid.add_row(Text(printable(name)), Text(sparkline(series)), Text(number(series[-1])))
    for name, value in metrics.items():
        grid.add_row(Text(printable(name)), "", Text(number(value)))
    return Group(Text(title, style="bold"), grid)


def _series(curves: Sequence[Curve]) -> Iterator[tuple[str, Sequence[Number]]]:
    """Yield the total and every component of every objective, named with it where there are several."""
    for curve in curves:
        prefix = f"{curve.objective}." if len(curves) > 1 else ""
        yield f"{curve.objective}" if prefix else "total", curve.total
        for name, series in curve.components.items():
            yield prefix + name, series


def sparkline(numbers: Sequence[Number], width: int = WIDTH) -> str:
    """Return a series as `width` block characters at most, means of equal parts, from its least to its greatest."""
    series = [math.nan if value is None else value for value in numbers]
    parts = min(width, len(series))
    edges = [round(k * len(series) / parts) for k in range(parts + 1)] if parts else []
    means = [_mean(series[a:b]) for a, b in itertools.pairwise(edges)]
    finite = [mean for mean in means if math.isfinite(mean)]
    low, span = min(finite, default=0.0), max(finite, default=0.0) - min(finite, default=0.0)
    return "".join(
        BARS[min(int((mean - low) / span * len(BARS)), len(BARS) - 1) if span else 0] if math.isfinite(mean) else "?"
        for mean in means
    )


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
