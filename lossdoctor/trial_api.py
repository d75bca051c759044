"""The trials as a library: diagnose, then train, then judge both together."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .config.load import load_config, parse_config
from .config.schema import Config
from .inspection import Inspection, environment, inspect_setup
from .records import Report, Severity
from .report import build_report
from .reports import render_json
from .reports.curves_png import draw_curves
from .run_folder import STATE, RunFolder, claim_folder, default_folder, open_folder
from .trial_records import Trial
from .trial_view import TrialView

if TYPE_CHECKING:
    from .setup.build import Setup


@dataclass(frozen=True)
class TrialResult:
    """What a trial command came to."""

    report: Report
    signal: int | None = None  #: that interrupted it
    refused: bool = False  #: the diagnosis found errors, so nothing was trained


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

    The run starts from fresh weights unless `from_checkpoint`. It writes into `output_dir` (`runs/<config name>`),
    where the run of another config, and an earlier one of this unless `overwrite`, is refused.

    Raises LossDoctorError where the setup cannot be built, measured or trained, or the folder cannot be used.
    """
    loaded, view, started = _loaded(config, overrides), view or TrialView(), time.perf_counter()
    folder = claim_folder(_folder(loaded, output_dir), loaded.path, "overfit-batch", overwrite=overwrite)

    from .setup.build import open_setup
    from .trials.loop import Watch
    from .trials.overfit import OverfitOptions, overfit_batch
    from .trials.stopping import stoppable

    with open_setup(loaded) as setup:
        inspection = inspect_setup(setup, loaded, quick=quick, on_progress=view.on_progress)
        open_folder(folder, loaded.path, "overfit-batch", keep=False)
        options = OverfitOptions(batch_index, from_checkpoint)
        with stoppable(max_seconds) as stop:
            watch = Watch(view.watch, view.evaluated)
            trial = overfit_batch(setup, loaded, options, folder, watch=watch, stop=stop)
        report = _finish("overfit-batch", setup, inspection, trial, folder, started)
    return TrialResult(report, stop.signal)


def train(
    config: str | Path | Mapping[str, Any] | Config,
    *,
    overrides: Sequence[str] = (),
    quick: bool = False,
    force: bool = False,
    max_seconds: float | None = None,
    output_dir: str | Path | None = None,
    overwrite: bool = False,
    resume: bool = False,
    view: TrialView | None = None,
) -> TrialResult:
    """Diagnose a config and, where there is no error or with `force`, train it for `trial.steps` steps.

    `resume` goes on with the run that `output_dir` (`runs/<config name>`) holds; with the same code and data on a
    CPU, it ends with the same weights, bit by bit, as a run that was never interrupted. SIGINT and SIGTERM end a run
    after the step that they interrupt, with everything saved.

    Raises LossDoctorError where the setup cannot be built, measured or trained, or the folder cannot be used.
    """
    loaded, view, started = _loaded(config, overrides), view or TrialView(), time.perf_counter()
    folder = claim_folder(_folder(loaded, output_dir), loaded.path, "train", overwrite=overwrite, resume=resume)

    from .setup.build import open_setup
    from .trials.loop import Watch
    from .trials.stopping import stoppable
    from .trials.train import train

    with open_setup(loaded) as setup:
        inspection = inspect_setup(setup, loaded, quick=quick, on_progress=view.on_progress)
        passed = force or (resume and folder.file(STATE).exists())
        if not passed and any(finding.severity is Severity.ERROR for finding in inspection.report.findings):
            return TrialResult(replace(inspection.report, command="train"), refused=True)
        open_folder(folder, loaded.path, "train", keep=resume)
        with stoppable(max_seconds) as stop:
            watch = Watch(view.watch, view.evaluated)
            trial = train(setup, loaded, folder, watch=watch, stop=stop)
        report = _finish("train", setup, inspection, trial, folder, started)
    return TrialResult(report, stop.signal)


def _finish(
    command: str, setup: Setup, inspection: Inspection, trial: Trial, folder: RunFolder, started: float
) -> Report:
    """Draw the curves, judge the diagnosis and the trial together, and write the report into the folder."""
    from .trials.tensorboard import write_events

    folder.write("curves.png", lambda path: path.write_bytes(draw_curves(trial)))
    write_events(folder.path, trial.curves, trial.metrics)
    report = build_report(
        replace(inspection.case, trial=replace(trial, files=(str(folder.file("report.json")), *folder.written()))),
        command=command,
        config=inspection.report.config,
        environment={**inspection.report.environment, **environment(setup.device, len(setup.batches), started)},
    )
    folder.write("report.json", lambda path: path.write_text(render_json([report]), encoding="utf-8"))
    return report


def _folder(config: Config, output_dir: str | Path | None) -> Path:
    return default_folder(config.path) if output_dir is None else Path(output_dir)


def _loaded(config: str | Path | Mapping[str, Any] | Config, overrides: Sequence[str]) -> Config:
    if isinstance(config, (str, Path)):
        return load_config(config, overrides)
    return config if isinstance(config, Config) else parse_config(config)
