"""One inspection: a config or a setup is measured and judged."""

from __future__ import annotations

import importlib.metadata
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .config.measured_names import check_measured_names
from .config.schema import Config
from .progress import OnProgress, silent
from .records import Report
from .report import build_report
from .rules.base import Case

if TYPE_CHECKING:
    from .setup.build import Setup


@dataclass(frozen=True)
class Inspection:
    """What was measured, and what is to be said about it."""

    case: Case
    report: Report


def inspect_config(
    config: Config,
    *,
    quick: bool = False,
    at_step: int | None = None,
    checkpoints: Sequence[Path] = (),
    on_progress: OnProgress = silent,
) -> Inspection:
    """Build the setup of a config, measure it and judge it. Raises LossDoctorError as `api.inspect` does."""
    from .setup.build import open_setup

    with open_setup(config, at_step=at_step) as setup:
        return inspect_setup(setup, config, quick=quick, checkpoints=checkpoints, on_progress=on_progress)


def inspect_setup(
    setup: Setup,
    config: Config | None = None,
    *,
    quick: bool = False,
    checkpoints: Sequence[Path] = (),
    on_progress: OnProgress = silent,
) -> Inspection:
    """Measure a setup and judge it, with the config that it was built from where there is one.

    `checkpoints` are measured as well, one after the other, and how the balance moves between them is judged.
    """
    from .instruments.examine import examine

    started = time.perf_counter()
    examination = examine(setup, quick=quick, on_progress=on_progress)
    if config is not None and examination.gradients is not None:
        check_measured_names(config, {objective.name: objective.components for objective in examination.gradients})
    trial = None
    if checkpoints:
        from .trials.checkpoints import measure_checkpoints

        trial = measure_checkpoints(setup, checkpoints, on_progress=on_progress)
    case = Case(config=config, examination=examination, trial=trial)
    report = build_report(
        case,
        command="inspect",
        config=str(config.path) if config else "",
        environment=environment(setup.device, len(setup.batches), started)
        | {"precision": setup.precision, "mode": setup.mode, "seed": setup.seed},
    )
    return Inspection(case, report)


def environment(device: object, batches: int, started: float) -> dict[str, Any]:
    """Return where and how long something was measured that began at `started` (`time.perf_counter`)."""
    return {
        "torch": importlib.metadata.version("torch"),
        "device": str(device),
        "batches": batches,
        "seconds": round(time.perf_counter() - started, 3),
    }
