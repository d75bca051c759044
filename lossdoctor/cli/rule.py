"""`lossdoctor rule`: the manual pages of the rules."""

from __future__ import annotations

from typing import Annotated

import typer

from .app import app
from .failures import errors_explained
from .streams import encodable, writing_explained


@app.command()
def rule(
    code: Annotated[str | None, typer.Argument(help="Code of a rule, such as LD201. All rules when left out.")] = None,
) -> None:
    """Explain one rule, or list all."""
    with errors_explained():
        from ..manual import list_rules, rule_page

        text = list_rules() if code is None else rule_page(code)
        with writing_explained():
            typer.echo(encodable(text))
