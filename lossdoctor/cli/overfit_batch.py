"""`lossdoctor overfit-batch`: diagnose, then learn one batch by heart."""

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
    FromCheckpoint,
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
def overfit_batch(
    config: ConfigPath,
    steps: Steps = None,
    batch_index: Annotated[
        int,
        typer.Option(
            "--batch-index", metavar="N", min=0, help="Which batch to overfit, from 0.", rich_help_panel="Trial"
        ),
    ] = 0,
    from_checkpoint: FromCheckpoint = False,
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
    """Diagnose a composite loss, then overfit one batch, and say for every component what became of it.

    A loss that cannot learn one batch by heart will not learn a data set. The same run with the input zeroed shows
    whether the input is used at all.

    --output-dir gets report.json, metrics.csv, the weights (last and best) and pictures.

    Runs the code that CONFIG names: do not use it on a config that you do not trust.

    Examples:
        lossdoctor overfit-batch loss.yaml
        lossdoctor overfit-batch loss.yaml --steps 500 --batch-index 2
        lossdoctor overfit-batch loss.yaml --set trial.lr=0.01 --overwrite
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
            result = trial_api.overfit_batch(
                config,
                overrides=overrides,
                quick=quick,
                batch_index=batch_index,
                from_checkpoint=from_checkpoint,
                max_seconds=max_seconds,
                output_dir=output_dir,
                overwrite=overwrite,
                view=view,
            )
        with writing_explained():
            emission.write(result.report)
    raise typer.Exit(128 + result.signal if result.signal else exit_code([result.report], fail_on))
