"""`lossdoctor schema`: the JSON Schema of the config, for editors."""

from __future__ import annotations

import json

import typer

from .app import app
from .failures import errors_explained
from .streams import writing_explained


@app.command()
def schema() -> None:
    """Print the JSON Schema of the config, for editors."""
    with errors_explained():
        from ..config.json_schema import config_schema

        with writing_explained():
            typer.echo(json.dumps(config_schema(), indent=2))
