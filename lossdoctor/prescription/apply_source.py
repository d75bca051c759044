"""Applying suggested patches to the user's own code: one at a time, and only what is measured to help."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from ..atomic import write_atomically
from ..config.load import config_of
from ..errors import LossDoctorError
from ..inspection import inspect_config
from ..progress import OnProgress, silent
from ..records import Report
from .prescription import Prescription, complaints, identity
from .source_patch import SourcePatch, suggest_patch


def apply_source(prescription: Prescription, *, on_progress: OnProgress = silent) -> Prescription:
    """Patch the files that findings point to, as long as that cures a finding and makes no new one.

    Returns the prescription with the patches that were kept and what was measured with them; a file whose patch did not
    help has its old text back. Raises LossDoctorError where a file cannot be written.
    """
    kept: list[SourcePatch] = []
    tried: set[object] = set()
    report = prescription.after
    while (patch := _next_patch(report, tried)) is not None:
        path = Path(patch.file)
        write_atomically(path, patch.patched.encode())
        after = _inspected(prescription, on_progress)
        if after is not None and _cures(patch, report, after):
            kept.append(patch)
            report = after
        else:
            write_atomically(path, patch.text.encode())
    return replace(prescription, after=report, patched=tuple(kept))


def _next_patch(report: Report, tried: set[object]) -> SourcePatch | None:
    for finding in complaints(report):
        if identity(finding) not in tried:
            tried.add(identity(finding))
            if (patch := suggest_patch(finding)) is not None:
                return patch
    return None


def _inspected(prescription: Prescription, on_progress: OnProgress) -> Report | None:
    """Return the report on the fixed config with the code as it is now, None where that cannot be run."""
    try:
        config = config_of(prescription.fixed, prescription.path, prescription.overrides)
        return inspect_config(config, on_progress=on_progress).report
    except LossDoctorError:
        return None


def _cures(patch: SourcePatch, before: Report, after: Report) -> bool:
    left = {(finding.code, finding.components) for finding in complaints(after)}
    known = set(map(identity, complaints(before)))
    return (patch.code, patch.components) not in left and set(map(identity, complaints(after))) <= known
