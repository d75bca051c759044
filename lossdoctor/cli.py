"""The command line: parse, call one library function, show what it returns, exit.

Nothing heavy is imported before a command needs it: `--help`, `rule` and `schema` answer in a moment.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from . import __version__
from .cli_options import (
    AtStep,
    Batches,
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
from .errors import LossDoctorError

if TYPE_CHECKING:
    from .records import Report

app = typer.Typer(
    name="lossdoctor",
    help="Find out why a composite loss will not train, before the GPU hours are spent.",
    epilog="Exit codes: 0 no finding at the failing level, 1 at least one, 2 the tool could not do its work.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


class StarterKind(str, Enum):
    """What a first config is for."""

    IMAGES = "images"
    CODE = "code"


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"lossdoctor {__version__}")
        raise typer.Exit


@app.callback()
def lossdoctor(
    version: Annotated[
        bool, typer.Option("--version", help="Show the version and exit.", is_eager=True, callback=_show_version)
    ] = False,
) -> None:
    """Find out why a composite loss will not train, before the GPU hours are spent."""


@app.command()
def inspect(
    config: ConfigPath,
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
    formats: Formats = None,
    outputs: Outputs = None,
    wide: Wide = False,
    quiet: Quiet = False,
    traceback: Traceback = False,
) -> None:
    """Measure a composite loss on a few batches and diagnose it.

    Loads the model, its checkpoint, the data and the loss that CONFIG names; measures the value and the gradient of
    every component; names the component at fault, the cause and its effect, and says what to change.

    Runs the code that CONFIG names: do not use it on a config that you do not trust.
    """
    with errors_explained(traceback):
        from . import api
        from .progress import progress
        from .reports.emit import Emission

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
                on_progress=on_progress,
            )
        with writing_explained():
            emission.write(report)
    raise typer.Exit(exit_code(report, fail_on))


@app.command()
def rule(
    code: Annotated[str | None, typer.Argument(help="Code of a rule, such as LD201. All rules when left out.")] = None,
) -> None:
    """Explain one rule, or list all."""
    with errors_explained():
        from .manual import list_rules, rule_page

        text = list_rules() if code is None else rule_page(code)
        with writing_explained():
            typer.echo(_encodable(text))


@app.command()
def init(
    path: Annotated[Path, typer.Argument(help="File to write.")] = Path("lossdoctor.yaml"),
    kind: Annotated[StarterKind, typer.Option("--for", help="What the loss is written with.")] = StarterKind.IMAGES,
    force: Annotated[bool, typer.Option("--force", help="Overwrite files that exist.")] = False,
) -> None:
    """Write a first config, full of comments, to start from."""
    with errors_explained():
        from .config.starter import write_starter

        for written in write_starter(path, kind.value, overwrite=force):
            typer.echo(f"wrote {written}", err=True)
        typer.echo(f"next: edit it, then run `lossdoctor inspect {path}`", err=True)


@app.command()
def schema() -> None:
    """Print the JSON Schema of the config, for editors."""
    import json

    with errors_explained():
        from .config.json_schema import config_schema

        with writing_explained():
            typer.echo(json.dumps(config_schema(), indent=2))


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


@contextlib.contextmanager
def stdout_kept_for_reports() -> Iterator[None]:
    """Send to stderr what user code prints, what libraries in C and subprocesses print included."""
    if sys.__stdout__ is None or sys.__stderr__ is None:  # closed by whoever started the process
        with contextlib.redirect_stdout(sys.stderr):
            yield
        return
    report = os.dup(1)
    os.dup2(2, 1)
    try:
        with contextlib.redirect_stdout(sys.stderr):
            yield
    finally:
        sys.__stdout__.flush()
        os.dup2(report, 1)
        os.close(report)


@contextlib.contextmanager
def writing_explained() -> Iterator[None]:
    """Let the reader of stdout leave early, as `| head` does, and the verdict stand. Raises LossDoctorError else."""
    try:
        yield
        if sys.stdout is not None:
            sys.stdout.flush()
    except BrokenPipeError:
        _discard_stdout()
    except OSError as error:
        _discard_stdout()
        message = f"cannot write to stdout: {error.strerror or error}"
        raise LossDoctorError(message, "Check the free space, or name a file with --output.") from error


def _discard_stdout() -> None:
    """Send what is still buffered nowhere: Python would fail at it once more when it exits."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


def _fail(message: str, traceback: bool) -> NoReturn:
    from .printable import printable

    if traceback:
        import traceback as tracebacks

        typer.echo(tracebacks.format_exc(), err=True)
    lines = "\n".join(printable(line) for line in message.splitlines())
    with contextlib.suppress(OSError):  # stderr may be full or closed as well; the exit code still tells
        typer.echo(f"lossdoctor: {lines}", err=True)
    raise typer.Exit(2) from None


def _encodable(text: str) -> str:
    """Return text as it is, or in ASCII where the encoding of stdout lacks one of its characters."""
    from .reports.text import in_ascii

    try:
        text.encode(getattr(sys.stdout, "encoding", None) or "utf-8")
    except UnicodeEncodeError:
        return "\n".join(map(in_ascii, text.splitlines()))
    return text


def exit_code(report: Report, fail_on: FailOnLevel) -> int:
    """Return 1 where a finding is as severe as the failing level or more, else 0."""
    from .records import Severity

    if fail_on is FailOnLevel.NEVER:
        return 0
    level = Severity(fail_on.value)
    return int(any(finding.severity.at_least(level) for finding in report.findings))


def main() -> None:
    """Run the command line."""
    app()
