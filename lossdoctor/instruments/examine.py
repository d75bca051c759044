"""Run the instruments over a setup."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from ..errors import LossDoctorError
from ..records import Examination, ObjectiveGradients
from ..setup.batches import target_of
from ..setup.build import Setup
from ..setup.preserve import preserved
from .anomalies import find_anomalies
from .gradients import measure_gradients
from .operands import LossTrace, OperandObserver
from .outputs import OutputObserver
from .parameters import ParameterObserver

#: Called with what is being done, how many batches of it are done, and how many there are.
Progress = Callable[[str, int, int], None]


def _silent(what: str, done: int, total: int) -> None:
    """Report no progress."""


def examine(setup: Setup, *, quick: bool = False, on_progress: Progress = _silent) -> Examination:
    """Measure a setup with every instrument; `quick` runs only the gradient and operand instruments.

    The model, its gradients and modes and all random generators are afterwards what they were before. Raises
    LossDoctorError where the gradients cannot be measured; any other instrument that fails is skipped with the reason.
    """
    with preserved(setup.model):
        gradients = _measure(setup, on_progress)
        anomalies = () if _finite(gradients) else find_anomalies(setup, gradients)
    skipped = {} if setup.checkpoint else {"checkpoint": "no checkpoint is configured"}
    facts: Mapping[str, Any] = {}
    try:
        with preserved(setup.model):
            facts = _observe(setup, on_progress, quick=quick)
    except LossDoctorError as error:
        reason = f"could not watch the loss: {error.message}"
        skipped |= dict.fromkeys(("operations", "outputs", "parameters"), reason)
    if quick:
        skipped |= dict.fromkeys(("outputs", "parameters"), "left out by --quick")
    return Examination(
        gradients=gradients,
        anomalies=anomalies,
        checkpoint=setup.checkpoint,
        data=setup.data,
        skipped=skipped,
        **facts,
    )


def _measure(setup: Setup, on_progress: Progress) -> tuple[ObjectiveGradients, ...]:
    total, done = len(setup.batches), 0

    def advance() -> None:
        nonlocal done
        done += 1
        on_progress("measuring gradients", done, total)

    on_progress("measuring gradients", 0, total)
    return measure_gradients(setup, on_batch=advance)


def _observe(setup: Setup, on_progress: Progress, *, quick: bool) -> dict[str, Any]:
    """Watch one forward of every batch with all the instruments that need no gradient."""
    operands, outputs, parameters = OperandObserver(), OutputObserver(), ParameterObserver(setup.model)
    for index, batch in enumerate(setup.batches):
        on_progress("watching the loss", index, len(setup.batches))
        with LossTrace(setup.model) as trace:
            losses = setup.evaluate(index)
        operands.observe(trace, losses)
        if not quick:
            outputs.observe(losses, target_of(batch))
            parameters.observe(losses)
    on_progress("watching the loss", len(setup.batches), len(setup.batches))
    watched: dict[str, Any] = {"operations": operands.facts()}
    return watched if quick else watched | {"outputs": outputs.facts(), "parameters": parameters.facts()}


def _finite(gradients: tuple[ObjectiveGradients, ...]) -> bool:
    values = (value for objective in gradients for batch in objective.values for value in batch if value is not None)
    squares = (
        gramian[k][k]
        for objective in gradients
        for block in objective.blocks
        for gramian in block.gramians
        for k in range(len(objective.components))
    )
    return all(map(math.isfinite, values)) and all(map(math.isfinite, squares))
