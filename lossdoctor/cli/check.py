"""`lossdoctor check`: many configs at once, for CI."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from .app import app
from .failures import errors_explained, exit_code
from .options import (
    FailOn,
    FailOnLevel,
    Formats,
    Ignore,
    Outputs,
    Quiet,
    Select,
    Set,
    Traceback,
    Wide,
    rule_overrides,
)
from .streams import writing_explained

if TYPE_CHECKING:
    from ..checking.run import Checked
    from ..records import Report

Paths = Annotated[
    list[str],
    typer.Argument(metavar="PATH...", help="Config files, folders to search, or patterns.", show_default=False),
]

#: Notes on files that were not read; a folder full of other people's templates has hundreds.
_MOST_NOTES = 10


@app.command()
def check(
    paths: Paths,
    set_: Set = None,
    select: Select = None,
    ignore: Ignore = None,
    fail_on: FailOn = FailOnLevel.ERROR,
    formats: Formats = None,
    outputs: Outputs = None,
    wide: Wide = False,
    quiet: Quiet = False,
    traceback: Traceback = False,
) -> None:
    """Check configs without running anything: for CI, and safe on a stranger's pull request.

    Validates every config and judges what it lets expect: colour spaces in raw units, sums beside means, weights that
    cannot balance, components that count twice, budgets that are contradicted.
    """
    with errors_explained(traceback):
        from ..checking.run import check as check_paths
        from ..reports.emit import Emission

        emission = Emission.plan(formats or [], outputs or [], wide=wide, quiet=quiet)
        checked = check_paths(paths, overrides=[*(set_ or []), *rule_overrides(select, ignore)])
        _tell(checked, quiet=quiet)
        with writing_explained():
            emission.write(*checked.reports)
    raise typer.Exit(exit_code(checked.reports, fail_on))


def _tell(checked: Checked, *, quiet: bool) -> None:
    """Say on stderr what was left out, and, always, which configs could not be used."""
    from ..printable import printable

    lines = [] if quiet else [f"skipped: {note}" for note in checked.notes[:_MOST_NOTES]]
    if not quiet and len(checked.notes) > _MOST_NOTES:
        lines.append(f"skipped: {len(checked.notes) - _MOST_NOTES} more files that cannot be read")
    if not quiet and checked.foreign:
        lines.append(f"skipped: {checked.foreign} YAML files that are no configs of lossdoctor")
    lines += [_failure(report) for report in checked.reports if report.failures]
    for line in lines:
        typer.echo(f"lossdoctor: {printable(line)}", err=True)


def _failure(report: Report) -> str:
    """Return why a config could not be used, in one line; the report has the rest."""
    from ..reports.summary import plural

    first, *rest = report.failures
    place = first.location
    where = f"{place.file}:{place.line}:{place.column}" if place and place.line else report.config
    message = f"{where}: {first.key}: {first.message}" if first.key else f"{where}: {first.message}"
    more = f" (and {plural(len(rest), 'more problem')})" if rest else ""
    return f"{message}{more}{f' → {first.advice}' if first.advice else ''}"
