"""`lossdoctor check`: many configs at once, for CI."""

from __future__ import annotations

import gc
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .app import Command, app
from .failures import errors_explained, exit_code, refuse_without
from .options import (
    AtStep,
    Batches,
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
from .streams import writing_explained

if TYPE_CHECKING:
    from ..checking.measured import Measuring
    from ..checking.run import Checked, Options
    from ..records import Report

_BASELINE = "Baseline"

Paths = Annotated[
    list[str],
    typer.Argument(metavar="PATH", help="Config files, folders to search, or patterns.", show_default=False),
]
Measure = Annotated[
    bool,
    typer.Option(
        "--measure",
        help="Measure every config as well. Runs the code that they name: never on a stranger's pull request.",
        rich_help_panel="Measuring",
    ),
]
Jobs = Annotated[
    int | None,
    typer.Option("--jobs", metavar="N", min=1, help=r"Configs to measure at a time \[1].", rich_help_panel="Measuring"),
]
Timeout = Annotated[
    float | None,
    typer.Option(
        "--timeout",
        metavar="SECONDS",
        min=1,
        help=r"Longest that one config may take, after which it counts as not usable \[1800].",
        rich_help_panel="Measuring",
    ),
]
BaselinePath = Annotated[
    Path | None,
    typer.Option(
        "--baseline",
        metavar="FILE",
        help="Report only what is not in this baseline, and what differs from it.",
        rich_help_panel=_BASELINE,
    ),
]
UpdateBaseline = Annotated[
    bool,
    typer.Option("--update-baseline", help="Accept everything as it is: write it there.", rich_help_panel=_BASELINE),
]

#: Notes on files that were not read; a folder full of other people's templates has hundreds.
_MOST_NOTES = 10


@app.command(cls=Command)
def check(
    paths: Paths,
    measure: Measure = False,
    jobs: Jobs = None,
    timeout: Timeout = None,
    batches: Batches = None,
    device: Device = None,
    precision: Precision = None,
    seed: Seed = None,
    set_: Set = None,
    from_scratch: FromScratch = False,
    at_step: AtStep = None,
    quick: Quick = False,
    select: Select = None,
    ignore: Ignore = None,
    fail_on: FailOn = FailOnLevel.ERROR,
    baseline: BaselinePath = None,
    update_baseline: UpdateBaseline = False,
    formats: Formats = None,
    outputs: Outputs = None,
    wide: Wide = False,
    quiet: Quiet = False,
    traceback: Traceback = False,
) -> None:
    """Check configs without running anything: for CI, and safe on a stranger's pull request.

    Validates every config and judges what it lets expect: colour spaces in raw units, sums beside means, weights that
    cannot balance, components that count twice, budgets that are contradicted. With --measure it also inspects each of
    them, in a process of its own. Of a folder, YAML files that are no config of lossdoctor are passed over.

    Nothing is written but what --output and --update-baseline ask for.

    Examples:
        lossdoctor check .
        lossdoctor check 'configs/*.yaml' --format sarif --output loss.sarif
        lossdoctor check configs --baseline loss-baseline.json --update-baseline
        lossdoctor check configs --baseline loss-baseline.json --fail-on warning
        lossdoctor check loss.yaml --measure --quick
    """
    with errors_explained(traceback):
        gc.disable()  # nothing that is imported is garbage: looking for it takes a twentieth of the time
        from ..checking import run
        from ..reports.emit import Emission

        gc.freeze()  # and it stays: looking through it again and again takes a tenth
        gc.enable()
        needs_measure = {
            "--jobs": jobs,
            "--timeout": timeout,
            "--batches": batches,
            "--device": device,
            "--precision": precision,
        }
        refuse_without("--measure", measure, needs_measure | {"--seed": seed, "--at-step": at_step, "--quick": quick})
        refuse_without("--baseline FILE", baseline is not None, {"--update-baseline": update_baseline})
        emission = Emission.plan(formats or [], outputs or [], wide=wide, quiet=quiet)
        options = run.Options(
            overrides=[
                *(set_ or []),
                *measure_overrides(batches, device, precision, seed, from_scratch=from_scratch),
                *rule_overrides(select, ignore),
            ],
            measuring=_measuring(jobs, timeout, at_step, quick=quick) if measure else None,
            on_measured=lambda path: _say(f"measured {path}", quiet=quiet),
        )
        checked = _check(paths, options, baseline, update=update_baseline, quiet=quiet)
        with writing_explained():
            emission.write(*checked.reports)
    raise typer.Exit(exit_code(checked.reports, FailOnLevel.NEVER if update_baseline else fail_on))


def _measuring(jobs: int | None, timeout: float | None, at_step: int | None, *, quick: bool) -> Measuring:
    from ..checking.measured import TIMEOUT, Measuring

    return Measuring(jobs or 1, timeout or TIMEOUT, quick=quick, at_step=at_step)


def _check(paths: list[str], options: Options, path: Path | None, *, update: bool, quiet: bool) -> Checked:
    """Check, against a baseline or to write one, and say on stderr what the reports do not."""
    from dataclasses import replace

    from ..checking import run
    from ..checking.baseline_file import BaselineFile

    if path is None:
        checked = run.check(paths, options)
    elif not update:
        known = BaselineFile.read(path)
        checked = run.check(paths, replace(options, baseline=known))
        for config in known.gone():
            _say(f"{path}: {config} is no longer there", quiet=quiet)
    else:
        checked = run.check(paths, options)
        known = BaselineFile.read_or_new(path)
    _tell(checked, quiet=quiet)
    if path is not None and update and not any(report.failures for report in checked.reports):
        known.updated(list(zip(checked.configs, checked.reports, strict=True))).write()
        _say(f"wrote {path}", quiet=quiet)
    return checked


def _tell(checked: Checked, *, quiet: bool) -> None:
    """Say what was left out, and, always, which configs could not be used."""
    from ..reports.summary import plural

    for note in checked.notes[:_MOST_NOTES]:
        _say(f"skipped {note}", quiet=quiet)
    if (more := len(checked.notes) - _MOST_NOTES) > 0:
        _say(f"skipped {plural(more, 'more file')} that cannot be read", quiet=quiet)
    if checked.foreign:
        _say(f"skipped {plural(checked.foreign, 'YAML file')}: no config of lossdoctor", quiet=quiet)
    for report in checked.reports:
        if report.failures:
            _say(f"lossdoctor: {_failure(report)}", quiet=False)


def _failure(report: Report) -> str:
    """Return why a config could not be used, in one line; the report has the rest."""
    from ..reports.summary import plural

    first, *rest = report.failures
    place = first.location
    where = f"{place.file}:{place.line}:{place.column}" if place and place.line else report.config
    # What lies outside the config names its own file.
    known = first.message.startswith(where)
    message = ": ".join(part for part in ("" if known else where, first.key, first.message) if part)
    more = f" (and {plural(len(rest), 'more problem')})" if rest else ""
    return f"{message}{more}{f' → {first.advice}' if first.advice else ''}"


def _say(line: str, *, quiet: bool) -> None:
    from ..printable import printable

    if not quiet:
        typer.echo(printable(line), err=True)
