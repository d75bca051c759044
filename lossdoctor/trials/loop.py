"""The training loop, the only one there is.

    training = start_training(setup, trial, batches[0])
    outcome = run(training, source, events=[Event(measuring_steps(trial), measure)])

What happens beside the training, such as measuring, validating, saving and drawing, is an event at some steps; the loop
knows nothing of it. The same setup, options, seed and source give the same weights, bit by bit on a CPU.
"""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from ..errors import DataError
from ..setup.batches import Batch
from ..trial_records import Curve, Evaluation, Number
from .recorder import Row
from .training import Training, training_mode

#: A run ends when so many totals in a row were not finite: what has become NaN stays NaN, and a GradScaler, which skips
#: steps that overflow, has found its scale by then.
NON_FINITE_STEPS = 20

#: Seconds between looks at the values, each of which waits for the device.
LOOK_EVERY = 0.5

#: Of the time that a look takes, how many times more passes before the next one: curves grow with the run.
LOOK_PAUSE = 20


@dataclass(frozen=True)
class Event:
    """Something to do when so many steps have been made: 0 is before the first; the last step made always counts."""

    steps: frozenset[int]
    act: Callable[[int], None]


@dataclass(frozen=True)
class Outcome:
    """What a run came to."""

    steps: int  #: made, those of the run that it resumed included
    stopped: str | None  #: why it ended early
    curves: tuple[Curve, ...]
    seconds: float


#: Called now and then with the steps made and the curves so far.
Look = Callable[[int, Sequence[Curve]], None]


@dataclass(frozen=True)
class Watch:
    """Whom a trial tells what it does."""

    #: Told what begins, how many steps it takes and how many of them are made; returns whom to show the curves.
    run: Callable[[str, int, int], Look]
    evaluated: Callable[[Evaluation], None]


def run(
    training: Training,
    batches: Iterable[Batch],
    *,
    start: int = 0,
    events: Sequence[Event] = (),
    on_look: Look | None = None,
    stop: Callable[[], str | None] = lambda: None,
) -> Outcome:
    """Train until `trial.steps` steps have been made, counted from `start`, the steps made by the run it resumes.

    `batches` yields a batch for every backward, from step `start` on, and never ends. `on_look` is called about twice
    a second with the curves so far, `stop` before every step: it returns why to stop, or None.
    """
    began = time.perf_counter()
    next_look, step, stopped = began + LOOK_EVERY, start, None
    supply = iter(batches)
    with training_mode(training):
        if not start:  # a resumed run has done them before it was saved
            _happen(events, step)
        while step < training.trial.steps and (stopped := stop()) is None:
            training.step(step, _next(supply, training.trial.accumulate))
            step += 1
            last = step == training.trial.steps
            if last or time.perf_counter() >= next_look:
                looked = time.perf_counter()
                if on_look:
                    on_look(step, tuple(curves(training)))
                finite = _is_finite(training.recorder.rows())
                next_look = looked + max(LOOK_EVERY, LOOK_PAUSE * (time.perf_counter() - looked))
                if not finite:
                    stopped = f"the total was not finite for {NON_FINITE_STEPS} steps in a row"
                    break
            _happen(events, step)
        # Saving is the last event, and the first after an interruption: whoever interrupted may not wait, and the
        # run that goes on has not seen what the others do now.
        for event in reversed(events):
            if step not in event.steps:
                event.act(step)
    return Outcome(step, stopped, tuple(curves(training)), time.perf_counter() - began)


def _happen(events: Sequence[Event], step: int) -> None:
    for event in events:
        if step in event.steps:
            event.act(step)


def _next(supply: Iterator[Batch], count: int) -> list[Batch]:
    batches = list(itertools.islice(supply, count))
    if len(batches) < count:
        message = "the data ended during the trial"
        raise DataError(message, "Return a DataLoader, a Dataset or something that can be iterated over again.")
    return batches


def _is_finite(rows: Mapping[str, Sequence[Row]]) -> bool:
    """Return whether some of the last totals of every objective are finite, or too few have been made to tell."""
    return all(
        len(own) < NON_FINITE_STEPS or any(all(map(math.isfinite, row.values())) for row in own[-NON_FINITE_STEPS:])
        for own in rows.values()
    )


def curves(training: Training) -> Iterator[Curve]:
    """Yield the curve of every objective. This waits for the device."""
    setup, every = training.setup, training.trial.accumulate
    rows = training.recorder.rows()
    for objective in training.objectives:
        own = rows.get(objective.name, ())
        names = list(dict.fromkeys(name for row in own for name in row))
        steps = tuple(position // every for position in range(len(own)))
        yield Curve(
            objective=objective.name,
            steps=steps,
            total=tuple(
                _finite(sum(_weight(training, step, objective.name, name) * value for name, value in row.items()))
                for step, row in zip(steps, own, strict=True)
            ),
            components={name: tuple(_finite(row.get(name, math.nan)) for row in own) for name in names},
            weights={name: _weight(training, steps[-1] if steps else 0, objective.name, name) for name in names},
            roles={name: setup.role(objective.name, name) for name in names},
            trained=objective.scalars,
            adversarial=objective.adversarial,
        )


def _weight(training: Training, step: int, objective: str, name: str) -> float:
    weight = training.setup.at(step).weight(objective, name)
    return 1.0 if weight is None else weight


def _finite(value: float) -> Number:
    return value if math.isfinite(value) else None
