"""Ending a run before its time, but not in the middle of a step."""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from types import FrameType


@dataclass
class Stop:
    """Why a run should end now: a signal, or no time left. It is called before every step."""

    deadline: float | None = None  #: of time.monotonic
    seconds: float | None = None  #: what the deadline was made from
    signal: int | None = None  #: that arrived

    def __call__(self) -> str | None:
        """Return why, None to go on."""
        if self.signal is not None:
            return f"interrupted by {signal.Signals(self.signal).name}"
        if self.deadline is not None and time.monotonic() >= self.deadline:
            return f"{self.seconds:g} seconds were over"
        return None


@contextlib.contextmanager
def stoppable(max_seconds: float | None = None) -> Iterator[Stop]:
    """Let Ctrl-C and SIGTERM end the run after the step that they interrupt; the second one ends it at once."""
    stop = Stop(None if max_seconds is None else time.monotonic() + max_seconds, max_seconds)
    if threading.current_thread() is not threading.main_thread():  # only that one may handle signals
        yield stop
        return
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def remember(number: int, _frame: FrameType | None) -> None:
        stop.signal = number
        for each, handler in handlers.items():
            signal.signal(each, handler)

    for number in handlers:
        signal.signal(number, remember)
    try:
        yield stop
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
