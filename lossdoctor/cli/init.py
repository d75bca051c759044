"""`lossdoctor init`: a first config to start from."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from .app import app
from .failures import errors_explained


class StarterKind(str, Enum):
    """What a first config is for."""

    IMAGES = "images"
    CODE = "code"


@app.command()
def init(
    path: Annotated[Path, typer.Argument(help="File to write.")] = Path("lossdoctor.yaml"),
    kind: Annotated[StarterKind, typer.Option("--for", help="What the loss is written with.")] = StarterKind.IMAGES,
    force: Annotated[bool, typer.Option("--force", help="Overwrite files that exist.")] = False,
) -> None:
    """Write a first config, full of comments, to start from."""
    with errors_explained():
        from ..config.starter import write_starter

        for written in write_starter(path, kind.value, overwrite=force):
            typer.echo(f"wrote {written}", err=True)
        typer.echo(f"next: edit it, then run `lossdoctor inspect {path}`", err=True)
