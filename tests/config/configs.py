"""Small configs for the tests: what a case leaves out is filled in, so that a case shows one fault and nothing else."""

from __future__ import annotations

import textwrap
from pathlib import Path

SECTIONS = {
    "model": "model: {target: my_project.models:UNet}",
    "data": "data: {target: my_project.data:batches}",
    "loss": "loss: {step: my_project.train:losses}",
}


def write_config(folder: Path, text: str, name: str = "config.yaml") -> Path:
    """Write a config; sections that it lacks follow at the end, where they move no line."""
    text = textwrap.dedent(text).lstrip("\n")
    missing = [section for key, section in SECTIONS.items() if not has_section(text, key)]
    path = folder / name
    path.write_text("\n".join([text.rstrip("\n"), *missing, ""]), encoding="utf-8")
    return path


def has_section(text: str, key: str) -> bool:
    return any(line.startswith((f"{key}:", f"{key} :")) for line in text.splitlines())
