"""The trials as a library: `overfit_batch`."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .api import as_config, circumstances, examine_setup
from .config.schema import Config
from .records import Report
from .report import build_report
from .rules.base import Case
from .run_folder import claim_folder, default_folder, open_folder
from .trial_view import TrialView


@dataclass(frozen=True)
class TrialResult:
    """What a trial command came to."""

    report: Report
    signal: int | None = None  #: that interrupted it


def overfit_batch(
    config: str | Path | Mapping[str, Any] | Config,
    *,
    overrides: Sequence[str] = (),
    quick: bool = False,
    batch_index: int = 0,
    from_checkpoint: bool = False,
    max_seconds: float | None = None,
    output_dir: str | Path | None = None,
    overwrite: bool = False,
    view: TrialView | None = None,
) -> TrialResult:
    """Diagnose a config, then overfit one batch: the report has both, `report.trial` the verdict of every component.

    The run starts from fresh weights unless `from_checkpoint`. It writes `output_dir` (`runs/<config name>`), where the
    run of another config, and an earlier one of this unless `overwrite`, is refused.

    Raises LossDoctorError where the setup cannot be built, measured or trained, or the folder cannot be used.
    """
    from .setup.build import open_setup
    from .trials.overfit import OverfitOptions, overfit_batch
    from .trials.stopping import stoppable

    loaded, view, started = as_config(config, overrides), view or TrialView(), time.perf_counter()
    folder = claim_folder(Path(output_dir or default_folder(loaded.path)), loaded.path, overwrite=overwrite)
    with open_setup(loaded) as setup:
        examination = examine_setup(setup, loaded, quick, view.on_progress)
        open_folder(folder, loaded.path, keep=False)
        with stoppable(max_seconds) as stop:
            trial = overfit_batch(
                setup, loaded, OverfitOptions(batch_index, from_checkpoint), watch=view.watch, stop=stop
            )
        report = build_report(
            Case(config=loaded, examination=examination, trial=trial),
            command="overfit-batch",
            config=str(loaded.path),
            environment=circumstances(setup, started),
        )
    return TrialResult(report, stop.signal)
