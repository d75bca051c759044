"""The folder of a run: which config and command it belongs to, and files that are whole or not there."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from .errors import LossDoctorError

#: Remembers whose folder it is.
OWNER = "run.json"

#: What a run goes on from.
STATE = "state.pt"

#: All that is ever written into it, the events of TensorBoard aside.
FILES = (
    OWNER,
    "report.json",
    "metrics.csv",
    "last.safetensors",
    "best.safetensors",
    STATE,
    "samples.png",
    "curves.png",
)

#: Of a file that is being written.
PARTIAL = ".part"


@dataclass(frozen=True)
class Owner:
    """Whose run a folder holds."""

    config: str  #: absolute path of the config
    command: str


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


def claim_folder(path: Path, config: Path, command: str, *, overwrite: bool, resume: bool = False) -> RunFolder:
    """Return the folder of a command's run, ready to be opened. Nothing is written yet.

    Raises LossDoctorError for a folder that holds something else, the run of another config or command, or a run of its
    own that is neither to be resumed nor overwritten; and for a run to resume that is not there.
    """
    if resume and overwrite:
        message = "a run cannot be resumed and overwritten at once"
        raise LossDoctorError(message, "Leave out --overwrite to go on with it, or --resume to start again.")
    if path.exists() and not path.is_dir():
        message = f"{path} is a file, not a folder"
        raise LossDoctorError(message, "Name another folder with --output-dir.")
    owner = _owner(path)
    if owner is None:
        _refuse_foreign(path, resume=resume, overwrite=overwrite)
    elif not overwrite:
        _refuse_owned(path, owner, Owner(str(config.resolve()), command), resume=resume)
    return RunFolder(path)


def open_folder(folder: RunFolder, config: Path, command: str, *, keep: bool) -> None:
    """Make the folder and write down whose it is; remove what is left of an earlier run, or `keep` it to go on.

    Raises LossDoctorError where the folder cannot be written.
    """
    # The state goes first and the owner stays until another takes its place: a process that dies on the way leaves
    # a run of nobody's less than one that goes on with what was to be replaced.
    removed = () if keep else (STATE, *(name for name in FILES if name not in (STATE, OWNER)))
    try:
        folder.path.mkdir(parents=True, exist_ok=True)
        for name in (*(name + PARTIAL for name in FILES), *removed):
            folder.file(name).unlink(missing_ok=True)
        for events in folder.path.glob("events.out.tfevents.*") if not keep else ():
            events.unlink()
    except OSError as error:
        message = f"cannot write into {folder.path}: {error.strerror or error}"
        raise LossDoctorError(message, "Name another folder with --output-dir.") from error
    text = json.dumps({"config": str(config.resolve()), "command": command}, ensure_ascii=True)
    folder.write(OWNER, lambda path: path.write_text(text, encoding="utf-8"))


def _owner(path: Path) -> Owner | None:
    """Return whose run a folder holds; None for a folder that is no run's."""
    try:
        owner = json.loads((path / OWNER).read_text(encoding="utf-8"))
        return Owner(str(owner["config"]), str(owner["command"]))
    except (OSError, ValueError, TypeError, KeyError):
        return None


def _refuse_owned(path: Path, found: Owner, wanted: Owner, *, resume: bool) -> None:
    """Raise LossDoctorError unless the run found is the one to resume."""
    if found.config != wanted.config:
        message = f"{path} holds a run of another config: {found.config}"
    elif found.command != wanted.command:
        message = f"{path} holds a run of {found.command}"
    elif resume:
        return
    else:
        message = f"{path} holds a run of this config already"
        go_on = "Go on with it by --resume, replace it" if found.command == "train" else "Replace it"
        raise LossDoctorError(message, f"{go_on} with --overwrite, or name another folder with --output-dir.")
    raise LossDoctorError(message, "Name another folder with --output-dir, or replace that run with --overwrite.")


def _refuse_foreign(path: Path, *, resume: bool, overwrite: bool) -> None:
    if resume:
        message = f"{path} holds no run to resume"
        raise LossDoctorError(message, "Leave out --resume to start one, or name its folder with --output-dir.")
    begun = {name + PARTIAL for name in FILES}  # all that a run leaves that died at once
    if path.is_dir() and not overwrite and any(file.name not in begun for file in path.iterdir()):
        message = f"{path} is not empty, and holds no run"
        raise LossDoctorError(message, "Name another folder with --output-dir, or write into it with --overwrite.")
