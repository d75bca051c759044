"""`lossdoctor train`: diagnose, then train for a short while."""

from __future__ import annotations

from typing import Annotated

import typer

from .app import Command, app
from .failures import errors_explained, exit_code
from .options import (
    Batches,
    ConfigPath,
    Device,
    FailOn,
    FailOnLevel,
    Formats,
    FromScratch,
    Ignore,
    MaxSeconds,
    OutputDir,
    Outputs,
    Overwrite,
    Precision,
    Quick,
    Quiet,
    Seed,
    Select,
    Set,
    Steps,
    Traceback,
    Wide,
    measure_overrides,
    rule_overrides,
    trial_overrides,
)
from .streams import stdout_kept_for_reports, writing_explained


@app.command(cls=Command)
def train(
    config: ConfigPath,
    steps: Steps = None,
    force: Annotated[
        bool, typer.Option("--force", help="Train in spite of errors in the diagnosis.", rich_help_panel="Trial")
    ] = False,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the run that the folder holds.", rich_help_panel="Trial")
    ] = False,
    max_seconds: MaxSeconds = None,
    output_dir: OutputDir = None,
    overwrite: Overwrite = False,
    batches: Batches = None,
    device: Device = None,
    precision: Precision = None,
    seed: Seed = None,
    set_: Set = None,
    from_scratch: FromScratch = False,
    quick: Quick = False,
    select: Select = None,
    ignore: Ignore = None,
    fail_on: FailOn = FailOnLevel.ERROR,
    formats: Formats = None,
    outputs: Outputs = None,
    wide: Wide = False,
    quiet: Quiet = False,
    traceback: Traceback = False,
) -> None:
    """Diagnose a composite loss and, if it has no error, train it for a short while and say what became of it.

    Metrics are taken on data that are kept apart (data.group for a folder of images, data.validation for data of your
    own). Ctrl-C ends the run after the step that it interrupts, with everything saved; --resume goes on with it.

    --output-dir gets report.json, metrics.csv, the weights (last and best), the state for --resume and pictures.

    Runs the code that CONFIG names: do not use it on a config that you do not trust.

    Examples:
        lossdoctor train loss.yaml --steps 1000
        lossdoctor train loss.yaml --steps 2000 --resume
        lossdoctor train loss.yaml --force --output-dir runs/as-it-is
    """
    with errors_explained(traceback):
        from .. import trial_api
        from ..reports.emit import Emission
        from ..trial_view import trial_view

        emission = Emission.plan(formats or [], outputs or [], wide=wide, quiet=quiet)
        overrides = [
            *(set_ or []),
            *measure_overrides(batches, device, precision, seed, from_scratch=from_scratch),
            *trial_overrides(steps),
            *rule_overrides(select, ignore),
        ]
        with trial_view(quiet=quiet) as view, stdout_kept_for_reports():
            result = trial_api.train(
                config,
                overrides=overrides,
                quick=quick,
                force=force,
                resume=resume,
                max_seconds=max_seconds,
                output_dir=output_dir,
                overwrite=overwrite,
                view=view,
            )
        if result.refused:
            typer.echo(
                "training was not started: the diagnosis found errors\n"
                "  → Mend them (`lossdoctor rule CODE` explains each), or train in spite of them with --force.",
                err=True,
            )
        with writing_explained():
            emission.write(result.report)
    raise typer.Exit(128 + result.signal if result.signal else exit_code([result.report], fail_on))
