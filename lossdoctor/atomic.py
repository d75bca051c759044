"""Files that appear whole or not at all."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from pathlib import Path

from .errors import LossDoctorError


def write_atomically(path: Path, data: bytes, *, like: Path | None = None) -> None:
    """Put a file in its place all at once, with the permissions of the file that was there, or of another.

    The text is on the disk before it gets the name, and a name is changed in one step (`rename` of POSIX), so that
    there is the old file or the new one, whenever the process dies. Raises LossDoctorError where it cannot be written;
    then nothing has changed.
    """
    temporary = None
    try:
        descriptor, name = tempfile.mkstemp(dir=path.absolute().parent, prefix=f".{path.name}.")
        temporary = Path(name)
        _fill(temporary, descriptor, data, like or path)
        temporary.replace(path)
        temporary = None
        _flush_folder(path.absolute().parent)
    except OSError as error:
        message = f"cannot write {path}: {error.strerror or error}"
        raise LossDoctorError(message, "Check the folder's permissions and free space.") from error
    finally:
        if temporary is not None:  # also when interrupted
            temporary.unlink(missing_ok=True)


def _fill(temporary: Path, descriptor: int, data: bytes, model: Path) -> None:
    """Write a file to the disk, not only to its cache, with the permissions of another."""
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    if model.exists():
        shutil.copymode(model, temporary)
    else:
        temporary.chmod(0o666 & ~_umask())


def _flush_folder(folder: Path) -> None:
    """Have the new name of a file on the disk too, where the system can do that."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
