"""Files that appear whole or not at all."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from .errors import LossDoctorError


def write_atomically(path: Path, data: bytes, *, like: Path | None = None) -> None:
    """Put a file in its place all at once, with the permissions of the file that was there, or of another.

    Raises LossDoctorError where it cannot be written; then nothing has changed.
    """
    model = like or path
    temporary = None
    try:
        descriptor, name = tempfile.mkstemp(dir=path.absolute().parent, prefix=f".{path.name}.")
        temporary = Path(name)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if model.exists():
            shutil.copymode(model, temporary)
        else:
            temporary.chmod(0o666 & ~_umask())
        temporary.replace(path)
    except OSError as error:
        if temporary is not None:
            temporary.unlink(missing_ok=True)
        message = f"cannot write {path}: {error.strerror or error}"
        raise LossDoctorError(message, "Check the folder's permissions and free space.") from error


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
