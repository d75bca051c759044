"""The folder of a run: which config it belongs to, and files that are whole or not there."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from .errors import LossDoctorError

#: Remembers whose folder it is.
OWNER = "run.json"

#: All that is ever written into it, the events of TensorBoard aside.
FILES = (
    OWNER,
    "report.json",
    "metrics.csv",
    "last.safetensors",
    "best.safetensors",
    "state.pt",
    "samples.png",
    "curves.png",
)

#: Of a file that is being written.
PARTIAL = ".part"


@dataclass(frozen=True)
class RunFolder:
    """A folder that a run may write into."""

    path: Path

    def file(self, name: str) -> Path:
        """Return the path of one of the files."""
        return self.path / name

    def write(self, name: str, write: Callable[[Path], object]) -> Path:
        """Let `write` make a file at the path that it is given, and put it in its place when it is whole.

        A process that dies on the way leaves the file that was there before, and a part that the next one removes.
        Raises LossDoctorError where it cannot be written.
        """
        path, part = self.file(name), self.file(name + PARTIAL)
        try:
            write(part)
            part.replace(path)
        except OSError as error:
            part.unlink(missing_ok=True)
            message = f"cannot write {path}: {error.strerror or error}"
            raise LossDoctorError(message, "Check the folder's permissions and free space.") from error
        return path

    def written(self) -> tuple[str, ...]:
        """Return the paths of the files that are there."""
        return tuple(str(self.file(name)) for name in FILES if self.file(name).exists())


def default_folder(config: Path) -> Path:
    """Return `runs/<config name>`."""
    return Path("runs") / config.stem


def claim_folder(path: Path, config: Path, *, overwrite: bool, resume: bool = False) -> RunFolder:
    """Return the folder of a run, ready to be opened. Nothing is written yet.

    Raises LossDoctorError for a folder that holds something else, another config's run, or a run of its own that is
    neither to be resumed nor overwritten; and for a run to resume that is not there.
    """
    if path.exists() and not path.is_dir():
        message = f"{path} is a file, not a folder"
        raise LossDoctorError(message, "Name another folder with --output-dir.")
    owner = _owner(path)
    if owner is None:
        _refuse_foreign(path, resume=resume, overwrite=overwrite)
    elif owner != str(config.resolve()) and not overwrite:
        message = f"{path} holds a run of another config: {owner}"
        raise LossDoctorError(message, "Name another folder with --output-dir, or replace that run with --overwrite.")
    elif not (overwrite or resume):
        message = f"{path} holds a run of this config already"
        raise LossDoctorError(
            message, "Go on with it by `train --resume`, replace it with --overwrite, or name another --output-dir."
        )
    return RunFolder(path)


def open_folder(folder: RunFolder, config: Path, *, keep: bool) -> None:
    """Make the folder and write down whose it is; remove what is left of an earlier run, or `keep` it to go on.

    Raises LossDoctorError where the folder cannot be written.
    """
    try:
        folder.path.mkdir(parents=True, exist_ok=True)
        for name in FILES:
            folder.file(name + PARTIAL).unlink(missing_ok=True)
            if not keep:
                folder.file(name).unlink(missing_ok=True)
        for events in folder.path.glob("events.out.tfevents.*") if not keep else ():
            events.unlink()
    except OSError as error:
        message = f"cannot write into {folder.path}: {error.strerror or error}"
        raise LossDoctorError(message, "Name another folder with --output-dir.") from error
    text = json.dumps({"config": str(config.resolve())}, ensure_ascii=True)
    folder.write(OWNER, lambda path: path.write_text(text, encoding="utf-8"))


def _owner(path: Path) -> str | None:
    """Return the config that a folder belongs to; None for a folder that is no run's."""
    try:
        owner = json.loads((path / OWNER).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return owner.get("config") if isinstance(owner, dict) else None


def _refuse_foreign(path: Path, *, resume: bool, overwrite: bool) -> None:
    if resume:
        message = f"{path} holds no run to resume"
        raise LossDoctorError(message, "Leave out --resume to start one, or name its folder with --output-dir.")
    if path.is_dir() and any(path.iterdir()) and not overwrite:
        message = f"{path} is not empty, and holds no run"
        raise LossDoctorError(message, "Name another folder with --output-dir, or write into it with --overwrite.")
