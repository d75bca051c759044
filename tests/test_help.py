"""The texts of `--help`: nothing in them is lost to markup."""

from __future__ import annotations

import itertools
import shlex

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


EXAMPLES = [
    pytest.param(name, line.partition(" > ")[0], id=line.strip())
    for name, command in COMMANDS.items()
    for line in command.help.splitlines()
    if line.startswith("    lossdoctor ")
]


@pytest.mark.parametrize("name", COMMANDS)
def test_help_has_an_example_that_fits_and_breaks_no_line_of_prose(name):
    lines = COMMANDS[name].help.split("\n")
    assert any(line.startswith(f"    lossdoctor {name}") for line in lines)
    assert all(len(line) < 79 for line in lines if line.startswith(" "))
    assert not [
        after for before, after in itertools.pairwise(lines) if before and after and not after.startswith("    ")
    ]


@pytest.mark.parametrize(("name", "line"), EXAMPLES)
def test_examples_parse(name, line):
    _, command, *arguments = shlex.split(line)
    assert command == name
    COMMANDS[name].make_context(name, arguments)
