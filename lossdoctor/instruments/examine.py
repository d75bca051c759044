"""Run the instruments over a setup."""

from __future__ import annotations

import math
from dataclasses import replace

from ..errors import LossDoctorError
from ..facts.anomalies import Anomaly, DeadEnd
from ..facts.data import DataFacts
from ..facts.examination import Examination
from ..facts.gradients import ObjectiveGradients
from ..progress import OnProgress, silent
from ..setup.batches import target_of
from ..setup.build import Setup
from ..setup.device import gradients_enabled
from ..setup.loss import Losses
from ..setup.preserve import preserved
from .anomalies import find_anomalies
from .data import measure_data
from .dead_ends import find_dead_ends
from .gradients import GradientObserver
from .operands import OperandObserver
from .outputs import OutputObserver
from .parameters import ParameterObserver
from .probes.run import PROBES, run_probes
from .trace import LossTrace


def examine(setup: Setup, *, quick: bool = False, on_progress: OnProgress = silent) -> Examination:
    """Measure a setup with every instrument; `quick` runs only the gradient and operand instruments.

    Which parameters the gradients reach, and how large they are, costs next to nothing: `quick` has it, too.

    All instruments look at the same forward of every batch; the gradient instrument is last: it frees the graph.
    The model, its gradients and modes and all random generators are afterwards what they were before.

    Raises LossDoctorError where the setup cannot be run or its gradients cannot be taken.
    """
    skipped = {} if setup.checkpoint else {"checkpoint": "no checkpoint is configured"}
    operands, outputs = OperandObserver(), OutputObserver()
    parameters, gradients = ParameterObserver(setup.model, setup.parameters), GradientObserver(setup)
    total = len(setup.batches)
    with preserved(setup.model), gradients_enabled():
        for index, batch in enumerate(setup.batches):
            on_progress(f"measuring {total} batches", index, total)
            losses, trace = _evaluate(setup, index, skipped)
            if trace is not None:
                operands.observe(trace, losses)
            if not quick:
                outputs.observe(losses, target_of(batch), batch)
            parameters.observe(losses)
            gradients.observe(losses)
        on_progress(f"measuring {total} batches", total, total)
        measured = gradients.facts()
        anomalies = _trace_anomalies(setup, measured, skipped)
        dead_ends = _trace_dead_ends(setup, measured, skipped)
    if quick:
        skipped |= dict.fromkeys(("outputs", *PROBES), "left out by --quick")
    probed = {} if quick else run_probes(setup, skipped, on_progress)
    return Examination(
        gradients=measured,
        operations=None if "operations" in skipped else operands.facts(),
        outputs=None if quick else outputs.facts(),
        parameters=parameters.facts(),
        checkpoint=setup.checkpoint,
        data=setup.data if quick else _look_at_data(setup),
        anomalies=anomalies,
        dead_ends=dead_ends,
        **probed,
        skipped=skipped,
    )


def _evaluate(setup: Setup, index: int, skipped: dict[str, str]) -> tuple[Losses, LossTrace | None]:
    """Run a batch with the operand trace. Where the trace is what breaks it, run it without; `skipped` says so."""
    if "operations" in skipped:
        return setup.evaluate(index), None
    try:
        with LossTrace(setup.model) as trace:
            return setup.evaluate(index), trace
    except LossDoctorError as error:
        losses = setup.evaluate(index)  # raises as well where the user's code itself is at fault
        skipped["operations"] = f"the loss cannot be traced: {error.message}"
        return losses, None


def _look_at_data(setup: Setup) -> DataFacts:
    """Return what is known of the data set together with what the batches hold."""
    measured = measure_data(setup.batches)
    return replace(setup.data or measured, entries=measured.entries, copies=measured.copies)


def _trace_anomalies(
    setup: Setup, measured: tuple[ObjectiveGradients, ...], skipped: dict[str, str]
) -> tuple[Anomaly, ...] | None:
    """Return which operations made NaN or infinity; None, with the reason in `skipped`, where that cannot be seen."""
    if _is_finite(measured):
        return ()
    try:
        return find_anomalies(setup, measured)
    except LossDoctorError as error:
        skipped["anomalies"] = f"the loss cannot be traced: {error.message}"
        return None


def _trace_dead_ends(
    setup: Setup, measured: tuple[ObjectiveGradients, ...], skipped: dict[str, str]
) -> tuple[DeadEnd, ...] | None:
    """Return where gradients of zero end; None, with the reason in `skipped`, where that cannot be seen."""
    try:
        return find_dead_ends(setup, measured)
    except LossDoctorError as error:
        skipped["dead_ends"] = f"the loss cannot be traced: {error.message}"
        return None


def _is_finite(gradients: tuple[ObjectiveGradients, ...]) -> bool:
    values = (value for objective in gradients for batch in objective.values for value in batch if value is not None)
    squares = (
        gramian[k][k]
        for objective in gradients
        for block in objective.blocks
        for gramian in block.gramians
        for k in range(len(objective.components))
    )
    return all(map(math.isfinite, values)) and all(map(math.isfinite, squares))
