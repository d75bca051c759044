"""`lossdoctor schema`: the JSON Schema of the config, for editors."""

from __future__ import annotations

import json

import typer

from .app import Command, app
from .failures import errors_explained
from .streams import writing_explained


@app.command(cls=Command)
def schema() -> None:
    """Print the JSON Schema of the config, for editors.

    An editor with a YAML language server completes keys and marks mistakes once the schema is a file and the first
    line of a config names it.

    Example, the command and the line:
        lossdoctor schema > lossdoctor.schema.json
        # yaml-language-server: $schema=lossdoctor.schema.json
    """
    with errors_explained():
        from ..config.json_schema import config_schema

        with writing_explained():
            typer.echo(json.dumps(config_schema(), indent=2))
