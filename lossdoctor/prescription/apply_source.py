"""Applying suggested patches to the user's own code: one at a time, and only what is measured to help."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from ..atomic import write_atomically
from ..errors import LossDoctorError
from ..progress import OnProgress, silent
from ..records import Report
from .prescribe import prescribe
from .prescription import Prescription, complaints, identity
from .source_patch import SourcePatch, suggest_patch


def apply_source(
    prescription: Prescription, *, rebalance: bool = False, on_progress: OnProgress = silent
) -> Prescription:
    """Patch the files that findings point to, as long as that cures a finding and makes no new one.

    Code comes before weights: with every patch the config is prescribed for anew. Returns that prescription, with the
    patches that were kept; a file whose patch did not help, or was interrupted, has its old text back. Raises
    LossDoctorError where a file cannot be written.
    """
    kept: list[SourcePatch] = []
    tried: set[object] = set()
    latest = prescription
    while (patch := _next_patch(latest.after, tried)) is not None:
        patched = _with_patch(patch, latest, rebalance, on_progress)
        if patched is not None:
            kept.append(patch)
            latest = patched
    return replace(latest, before=prescription.before, patched=tuple(kept))


def _next_patch(report: Report, tried: set[object]) -> SourcePatch | None:
    for finding in complaints(report):
        if identity(finding) not in tried:
            tried.add(identity(finding))
            if (patch := suggest_patch(finding)) is not None:
                return patch
    return None


def _with_patch(
    patch: SourcePatch, before: Prescription, rebalance: bool, on_progress: OnProgress
) -> Prescription | None:
    """Return the prescription for the patched code, which stays where it helps; None where it does not."""
    path, helps = Path(patch.file), False
    write_atomically(path, patch.patched.encode())
    try:
        after = prescribe(before.path, overrides=before.overrides, rebalance=rebalance, on_progress=on_progress)
        helps = _cures(patch, before.after, after.after)
    except LossDoctorError:  # the code does not run any more
        return None
    finally:
        if not helps:
            write_atomically(path, patch.text.encode())
    return after if helps else None


def _cures(patch: SourcePatch, before: Report, after: Report) -> bool:
    left = {(finding.code, finding.components) for finding in complaints(after)}
    known = set(map(identity, complaints(before)))
    return (patch.code, patch.components) not in left and set(map(identity, complaints(after))) <= known
