"""`lossdoctor init`: a first config to start from."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from .app import Command, app
from .failures import errors_explained


class StarterKind(str, Enum):
    """What a first config is for."""

    IMAGES = "images"
    CODE = "code"


@app.command(cls=Command)
def init(
    path: Annotated[Path, typer.Argument(metavar="PATH", help="File to write.")] = Path("lossdoctor.yaml"),
    kind: Annotated[StarterKind, typer.Option("--for", help="What the loss is written with.")] = StarterKind.IMAGES,
    force: Annotated[bool, typer.Option("--force", help="Overwrite files that exist.")] = False,
) -> None:
    """Write a first config, full of comments, to start from.

    For images, it names a folder of photographs and built-in components. For code, my_setup.py is written beside it, a
    module with a model, batches and a loss that runs as it is, for your own code to take its place.

    Examples:
        lossdoctor init
        lossdoctor init configs/loss.yaml --for code
    """
    with errors_explained():
        from ..config.starter import write_starter

        for written in write_starter(path, kind.value, overwrite=force):
            typer.echo(f"wrote {written}", err=True)
        typer.echo(f"next: edit it, then run `lossdoctor inspect {path}`", err=True)
