"""The application that the commands are registered with."""

from __future__ import annotations

from typing import Annotated

import typer

from .. import __version__

app = typer.Typer(
    name="lossdoctor",
    help="Find out why a composite loss will not train, before the GPU hours are spent.",
    epilog="Exit codes: 0 no finding at the failing level, 1 at least one, 2 the tool could not do its work.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


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
