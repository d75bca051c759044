"""Which checkpoints a pattern means, and in which order they were saved."""

from __future__ import annotations

import glob
import re
from collections.abc import Sequence
from pathlib import Path

from .errors import CheckpointError


def matching_files(patterns: Sequence[str]) -> tuple[Path, ...]:
    """Return the files that patterns (`ckpt/*.safetensors`) match, `step-9` before `step-10`.

    Raises CheckpointError for a pattern that matches nothing.
    """
    found: dict[Path, None] = {}
    for pattern in patterns:
        names = glob.glob(str(Path(pattern).expanduser()), recursive=True)  # noqa: PTH207 - absolute ones, too
        files = sorted(map(Path, names), key=_natural)
        if not files:
            message = f"--checkpoints: no file matches {pattern}"
            raise CheckpointError(message, "Name files by a pattern in quotes, such as 'ckpt/*.safetensors'.")
        found.update(dict.fromkeys(files))
    return tuple(found)


def number_in(name: str) -> int | None:
    """Return the last whole number of a file's name, such as 400 in `epoch=2-step=400.ckpt`; None without one."""
    numbers = re.findall(r"\d+", Path(name).stem)
    return int(numbers[-1]) if numbers else None


def _natural(file: Path) -> list[tuple[int, str]]:
    """Compare numbers as numbers."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", str(file))]
