"""Writing a changed config: the old file or the new one, never half of one."""

from __future__ import annotations

import os
from pathlib import Path

from ..atomic import write_atomically
from ..errors import LossDoctorError
from .prescription import Prescription


def destination(config: Path, output: Path | None) -> Path:
    """Return the file to write. Raises LossDoctorError, before anything is measured, where that cannot work."""
    # A link stays a link: what it points to is changed.
    path = (output or config).resolve()
    if path.is_dir() or not path.parent.is_dir():
        what = "is a folder" if path.is_dir() else "lies in a folder that does not exist"
        message = f"{output or config} {what}"
        raise LossDoctorError(message, "Name a file in an existing folder.")
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        message = f"{output or config} cannot be written"
        raise LossDoctorError(message, "Check its permissions, use --output, or --diff to see the change only.")
    return path


def write_prescription(prescription: Prescription, path: Path, *, backup: bool) -> Path | None:
    """Write the changed config, whole or not at all; None where there is nothing to write.

    Raises LossDoctorError where it cannot be written, or where the file has changed since it was read.
    """
    in_place = path == prescription.path.resolve()
    if in_place and prescription.fixed == prescription.text:
        return None
    if in_place and path.read_bytes() != prescription.text.encode():
        message = f"{path} was changed while it was being measured"
        raise LossDoctorError(message, "Run `lossdoctor fix` again.")
    if backup and path.exists():
        write_atomically(path.with_name(f"{path.name}.bak"), path.read_bytes(), like=path)
    write_atomically(path, prescription.fixed.encode(), like=path if path.exists() else prescription.path)
    return path
