"""`lossdoctor inspect`: measure a composite loss and diagnose it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .app import Command, app
from .failures import errors_explained, exit_code
from .options import (
    AtStep,
    Batches,
    Checkpoints,
    ConfigPath,
    Device,
    FailOn,
    FailOnLevel,
    Formats,
    FromScratch,
    Ignore,
    Outputs,
    Precision,
    Quick,
    Quiet,
    Seed,
    Select,
    Set,
    Traceback,
    Wide,
    measure_overrides,
    rule_overrides,
)
from .streams import stdout_kept_for_reports, writing_explained

if TYPE_CHECKING:
    from ..records import Report

WriteShares = Annotated[
    bool,
    typer.Option(
        "--write-shares",
        help="Record the measured shares in CONFIG as its budget (loss.shares).",
        rich_help_panel="Rules",
    ),
]


@app.command(cls=Command)
def inspect(
    config: ConfigPath,
    batches: Batches = None,
    device: Device = None,
    precision: Precision = None,
    seed: Seed = None,
    write_shares: WriteShares = False,
    set_: Set = None,
    from_scratch: FromScratch = False,
    at_step: AtStep = None,
    checkpoints: Checkpoints = None,
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
    """Measure a composite loss on a few batches and diagnose it.

    Loads the model, its checkpoint, the data and the loss that CONFIG names; measures the value and the gradient of
    every component; names the component at fault, the cause and its effect, and says what to change.

    Nothing is written but what --output and --write-shares ask for; model and files stay as they are.

    Runs the code that CONFIG names: do not use it on a config that you do not trust.

    Examples:
        lossdoctor inspect loss.yaml
        lossdoctor inspect loss.yaml --set loss.weights.kl=0.1 --batches 8
        lossdoctor inspect loss.yaml --format json --output report.json
        lossdoctor inspect loss.yaml --checkpoints 'ckpt/*.safetensors'
    """
    with errors_explained(traceback):
        from .. import api
        from ..progress import progress
        from ..reports.emit import Emission

        emission = Emission.plan(formats or [], outputs or [], wide=wide, quiet=quiet)
        overrides = [
            *(set_ or []),
            *measure_overrides(batches, device, precision, seed, from_scratch=from_scratch),
            *rule_overrides(select, ignore),
        ]
        with progress(quiet=quiet) as on_progress, stdout_kept_for_reports():
            report = api.inspect(
                config,
                overrides=overrides,
                quick=quick,
                at_step=at_step,
                checkpoints=checkpoints or (),
                on_progress=on_progress,
            )
        with writing_explained():
            emission.write(report)
        if write_shares:
            _write_shares(config, report)
    raise typer.Exit(exit_code([report], fail_on))


def _write_shares(config: Path, report: Report) -> None:
    from ..shares_file import write_shares

    shares = write_shares(config, report.objectives)
    written = ", ".join(f"{name} {share:g}" for name, share in shares.items())
    typer.echo(f"wrote loss.shares to {config}: {written}", err=True)
