"""`lossdoctor rule`: the manual pages of the rules."""

from __future__ import annotations

import shutil
import sys
from typing import Annotated

import typer

from .app import Command, app
from .failures import errors_explained
from .streams import encodable, writing_explained


@app.command(cls=Command)
def rule(
    code: Annotated[
        str | None, typer.Argument(metavar="CODE", help="Code of a rule, such as LD201. All rules when left out.")
    ] = None,
) -> None:
    """Explain one rule, or list all.

    A page says what the rule finds, when it fires and at which level, what to do, and the options that it has in a
    config under rules.

    Examples:
        lossdoctor rule
        lossdoctor rule LD201
    """
    with errors_explained():
        from ..manual import list_rules, rule_page

        # A terminal folds in the middle of words. What goes elsewhere keeps a line for each rule, as `grep` wants it.
        width = shutil.get_terminal_size().columns if sys.stdout is not None and sys.stdout.isatty() else None
        text = list_rules(width) if code is None else rule_page(code, width)
        with writing_explained():
            typer.echo(encodable(text))
