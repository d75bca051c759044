"""The application that the commands are registered with."""

from __future__ import annotations

import inspect
import re
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperOption

from .. import __version__


class Command(TyperCommand):
    """A command whose help fills the terminal's width, and whose flags stand without a type."""

    def __init__(self, *args: Any, help: str | None = None, **kwargs: Any) -> None:  # noqa: A002 - Typer's name
        super().__init__(*args, help=_filled(help or ""), **kwargs)
        for option in self.params:
            if isinstance(option, TyperOption) and option.is_flag:
                option.metavar = ""


def _filled(docstring: str) -> str:
    """Return paragraphs of one line each, to be broken by who shows them; indented ones, examples, stay."""
    return re.sub(r"(?<!\n)\n(?=\S)", " ", inspect.cleandoc(docstring))


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
