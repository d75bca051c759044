"""`lossdoctor fix`: write the remedies of the findings back into the config."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from .app import app
from .failures import errors_explained
from .options import (
    Batches,
    ConfigPath,
    Device,
    FromScratch,
    Ignore,
    Precision,
    Quiet,
    Seed,
    Select,
    Set,
    Traceback,
    measure_overrides,
    rule_overrides,
)
from .streams import stdout_kept_for_reports, writing_explained

_CHANGING = "Changing"

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
Json = Annotated[bool, typer.Option("--json", help="Print the whole prescription as JSON.", rich_help_panel="Output")]


@app.command()
def fix(
    config: ConfigPath,
    diff: Diff = False,
    output: Output = None,
    backup: Backup = False,
    rebalance: Rebalance = False,
    apply_source: ApplySource = False,
    batches: Batches = None,
    device: Device = None,
    precision: Precision = None,
    seed: Seed = None,
    set_: Set = None,
    from_scratch: FromScratch = False,
    select: Select = None,
    ignore: Ignore = None,
    as_json: Json = False,
    quiet: Quiet = False,
    traceback: Traceback = False,
) -> None:
    """Change CONFIG so that its findings are cured, and show what the change does.

    Causes are cured before effects, one at a time; after each the same batches are measured again, and a change that
    does not help is dropped. Where a unit has changed, or one component still drowns the others, the weights are set
    anew. Comments, order and quotes of the file stay. For faults in your own code a patch is shown, where one is
    measured to help, and not applied. What --set and the like say holds for measuring and is not written.

    Exit code 0 where no error is left, 1 where some are. Runs the code that CONFIG names: do not use it on a config
    that you do not trust.
    """
    with errors_explained(traceback):
        from ..prescription.apply import destination, write_prescription
        from ..prescription.prescribe import prescribe
        from ..prescription.prove_patches import prove_patches, write_patches
        from ..progress import progress
        from ..reports.prescription_report import print_prescription

        target = None if diff else destination(config, output)
        overrides = [
            *(set_ or []),
            *measure_overrides(batches, device, precision, seed, from_scratch=from_scratch),
            *rule_overrides(select, ignore),
        ]
        with progress(quiet=quiet) as on_progress, stdout_kept_for_reports():
            prescription = prescribe(config, overrides=overrides, rebalance=rebalance, on_progress=on_progress)
            patched = prove_patches(prescription, rebalance=rebalance, on_progress=on_progress)
        if apply_source and target:
            prescription = write_patches(patched)
        else:
            prescription = replace(prescription, patches=patched.patches)
        written = write_prescription(prescription, target, backup=backup) if target else None
        with writing_explained():
            form = "json" if as_json else "diff" if diff else "rich"
            print_prescription(prescription, written, form=form, quiet=quiet)
    raise typer.Exit(int(prescription.has_errors))
