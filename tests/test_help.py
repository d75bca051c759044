"""The texts of `--help`: nothing in them is lost to markup."""

from __future__ import annotations

import pytest
import typer.main
from rich.text import Text

from lossdoctor.cli import app

COMMANDS = typer.main.get_command(app).commands
TEXTS = [
    (f"{name} {option.name}", option.help)
    for name, command in COMMANDS.items()
    for option in command.params
    if getattr(option, "help", None)
] + [(name, command.help) for name, command in COMMANDS.items()]


@pytest.mark.parametrize("text", [text for _, text in TEXTS], ids=[where for where, _ in TEXTS])
def test_brackets_are_shown(text):
    """Typer reads its texts as Rich markup, in which `[config: 4]` is a style: it is written with a backslash."""
    assert Text.from_markup(text).plain == text.replace("\\[", "[")
