"""Exit codes, and what a user reads where lossdoctor could not do its work."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NoReturn

import typer

from ..errors import LossDoctorError
from .options import FailOnLevel

if TYPE_CHECKING:
    from ..records import Report


@contextlib.contextmanager
def errors_explained(traceback: bool = False) -> Iterator[None]:
    """Turn every error into one message on stderr and exit code 2; the traceback only where it was asked for."""
    try:
        yield
    except LossDoctorError as error:
        _fail(str(error), traceback)
    except KeyboardInterrupt:
        typer.echo("interrupted", err=True)
        raise typer.Exit(130) from None
    except Exception as error:
        what = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        _fail(
            f"unexpected {what}\n  → This should not happen. Run again with --traceback to see where it comes from.",
            traceback,
        )


def _fail(message: str, traceback: bool) -> NoReturn:
    from ..printable import printable

    if traceback:
        import traceback as tracebacks

        typer.echo(tracebacks.format_exc(), err=True)
    lines = "\n".join(printable(line) for line in message.splitlines())
    with contextlib.suppress(OSError):  # stderr may be full or closed as well; the exit code still tells
        typer.echo(f"lossdoctor: {lines}", err=True)
    raise typer.Exit(2) from None


def refuse_without(needed: str, given: bool, options: Mapping[str, Any]) -> None:
    """Raise LossDoctorError for an option that would do nothing."""
    unused = [name for name, value in options.items() if value is not None and value is not False]
    if unused and not given:
        message = f"{unused[0]} does nothing without {needed}"
        raise LossDoctorError(message, f"Add {needed}, or leave {unused[0]} out.")


def exit_code(reports: Sequence[Report], fail_on: FailOnLevel) -> int:
    """Return 2 where a config could not be used, 1 where a finding is as severe as the failing level, else 0."""
    from ..records import Severity

    if any(report.failures for report in reports):
        return 2
    if fail_on is FailOnLevel.NEVER:
        return 0
    level = Severity(fail_on.value)
    return int(any(finding.severity.at_least(level) for report in reports for finding in report.findings))
