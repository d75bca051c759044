"""`lossdoctor fix`: write the remedies of the findings back into the config."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from .app import Command, app
from .failures import errors_explained, refuse_without
from .options import (
    Batches,
    Checkpoints,
    ConfigPath,
    Device,
    FromCheckpoint,
    FromScratch,
    Ignore,
    Overwrite,
    Precision,
    Quiet,
    Seed,
    Select,
    Set,
    Steps,
    Traceback,
    measure_overrides,
    rule_overrides,
    trial_overrides,
)
from .streams import stdout_kept_for_reports, writing_explained


class FixFormat(str, Enum):
    """What `fix` prints; a diff has an option of its own."""

    RICH = "rich"
    JSON = "json"


_CHANGING, _TRIAL = "Changing", "Trial"

Diff = Annotated[
    bool, typer.Option("--diff", help="Write nothing: print the change as a unified diff.", rich_help_panel=_CHANGING)
]
Output = Annotated[
    Path | None,
    typer.Option(
        "--output", metavar="FILE", help="Write the changed config here, not over CONFIG.", rich_help_panel=_CHANGING
    ),
]
Backup = Annotated[
    bool,
    typer.Option("--backup", help="Keep the old config beside the new one, as CONFIG.bak.", rich_help_panel=_CHANGING),
]
Rebalance = Annotated[
    bool,
    typer.Option(
        "--rebalance",
        help="Set the weights for equal gradient shares, or those of loss.shares, though no finding asks for it.",
        rich_help_panel=_CHANGING,
    ),
]
ApplySource = Annotated[
    bool,
    typer.Option(
        "--apply-source",
        help="Also change your own code where a finding comes with a patch, and keep what is measured to help.",
        rich_help_panel=_CHANGING,
    ),
]
Verify = Annotated[
    bool,
    typer.Option(
        "--verify",
        help="Train CONFIG as it is and changed, side by side, and write the change only if that proves it.",
        rich_help_panel=_TRIAL,
    ),
]
Seeds = Annotated[
    int | None,
    typer.Option(
        "--seeds", metavar="N", min=3, help="Trainings of each, from seed measure.seed on [3].", rich_help_panel=_TRIAL
    ),
]
OutputDir = Annotated[
    Path | None,
    typer.Option(
        "--output-dir",
        metavar="DIR",
        help="Folder of the proof: report, curves, pictures. Default: runs/<config name>-verify",
        rich_help_panel=_TRIAL,
    ),
]
Format = Annotated[
    FixFormat,
    typer.Option("--format", help="What stdout gets: json is the whole prescription.", rich_help_panel="Output"),
]
Json = Annotated[bool, typer.Option("--json", help="The same as --format json.", rich_help_panel="Output")]


@app.command(cls=Command)
def fix(
    config: ConfigPath,
    diff: Diff = False,
    output: Output = None,
    backup: Backup = False,
    rebalance: Rebalance = False,
    apply_source: ApplySource = False,
    verify: Verify = False,
    seeds: Seeds = None,
    steps: Steps = None,
    from_checkpoint: FromCheckpoint = False,
    output_dir: OutputDir = None,
    overwrite: Overwrite = False,
    batches: Batches = None,
    device: Device = None,
    precision: Precision = None,
    seed: Seed = None,
    set_: Set = None,
    from_scratch: FromScratch = False,
    checkpoints: Checkpoints = None,
    select: Select = None,
    ignore: Ignore = None,
    form: Format = FixFormat.RICH,
    as_json: Json = False,
    quiet: Quiet = False,
    traceback: Traceback = False,
) -> None:
    """Change CONFIG so that its findings are cured, and show what the change does.

    Causes are cured before effects, one at a time; after each the same batches are measured again, and a change that
    does not help is dropped. Where a unit has changed, or one component still drowns the others, the weights are set
    anew. Comments, order and quotes of the file stay. For faults in your own code a patch is shown, where one is
    measured to help, and not applied. What --set and the like say holds for measuring and is not written.

    With --verify both configs are trained from the same weights on the same batches, with several seeds, and judged by
    what neither of them minimises: trial.metric, PSNR, the progress of all components. The file is changed only where
    that proves the change; "no difference" and "worse" leave it alone.

    With --checkpoints of a training, or --verify, you are warned where shares at the start do not last.

    Exit code 0 where no error is left, 1 where some are or the proof fails.

    Runs the code that CONFIG names: do not use it on a config that you do not trust.

    Examples:
        lossdoctor fix loss.yaml --diff
        lossdoctor fix loss.yaml --backup
        lossdoctor fix loss.yaml --verify --seeds 5 --output better.yaml
    """
    with errors_explained(traceback):
        from .. import api
        from ..records import Verdict
        from ..reports.prescription_report import print_prescription
        from ..trial_view import trial_view

        refuse_without(
            "--verify",
            verify,
            {
                "--seeds": seeds,
                "--steps": steps,
                "--from-checkpoint": from_checkpoint,
                "--output-dir": output_dir,
                "--overwrite": overwrite,
            },
        )
        overrides = [
            *(set_ or []),
            *measure_overrides(batches, device, precision, seed, from_scratch=from_scratch),
            *trial_overrides(steps),
            *rule_overrides(select, ignore),
        ]
        with trial_view(quiet=quiet) as view, stdout_kept_for_reports():
            prescription = api.fix(
                config,
                overrides=overrides,
                checkpoints=checkpoints or (),
                rebalance=rebalance,
                verify=verify,
                seeds=3 if seeds is None else seeds,
                from_checkpoint=from_checkpoint,
                output_dir=output_dir,
                overwrite=overwrite,
                output=None if diff else output or config,
                backup=backup,
                apply_source=apply_source,
                view=view,
            )
        with writing_explained():
            shown = "json" if as_json or form is FixFormat.JSON else "diff" if diff else "rich"
            print_prescription(prescription, form=shown, quiet=quiet)
    raise typer.Exit(int(prescription.verdict is Verdict.FAIL))
