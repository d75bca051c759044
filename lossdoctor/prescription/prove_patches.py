"""Patches of the user's own code: suggested where they are measured to help, and written only when asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from ..atomic import write_atomically
from ..errors import LossDoctorError
from ..progress import OnProgress, silent
from ..records import Finding, Report
from .patched_source import sources_replaced
from .prescribe import prescribe
from .prescription import Prescription, complaints, identity
from .source_patch import SourcePatch, suggest_patch

#: How many places one finding may have: a value that is detached twice is still detached after the first patch.
_PLACES = 3


def prove_patches(
    prescription: Prescription, *, rebalance: bool = False, on_progress: OnProgress = silent
) -> Prescription:
    """Return what the prescription would be with the user's code patched, and the patches; no file is changed.

    A patch is kept where its finding is gone with it and no other has come. Code comes before weights: with every patch
    the config is prescribed for anew. Each patch belongs on top of those before it. Costs an examination or more for
    every patch that is tried.
    """
    kept: list[SourcePatch] = []
    tried: set[object] = set()
    latest = prescription
    while (finding := _next_finding(latest.after, tried)) is not None:
        tried.add(identity(finding))
        found = _proven(finding, kept, latest, rebalance, on_progress)
        if found is not None:
            latest, patches = found
            kept += patches
    return replace(latest, before=prescription.before, patches=tuple(kept))


def write_patches(prescription: Prescription) -> Prescription:
    """Make the changes that `prove_patches` has found. Raises LossDoctorError where a file cannot be written."""
    for file, text in _texts(prescription.patches).items():
        write_atomically(Path(file), text.encode())
    return replace(prescription, patched=prescription.patches, patches=())


def _next_finding(report: Report, tried: set[object]) -> Finding | None:
    return next((finding for finding in complaints(report) if identity(finding) not in tried), None)


def _proven(
    finding: Finding, kept: Sequence[SourcePatch], before: Prescription, rebalance: bool, on_progress: OnProgress
) -> tuple[Prescription, list[SourcePatch]] | None:
    """Return the prescription with a finding patched away, and its patches; None where that does not succeed."""
    patches: list[SourcePatch] = []
    left: Finding | None = finding
    while left is not None and len(patches) < _PLACES:
        texts = _texts([*kept, *patches])
        patch = suggest_patch(left, texts)
        if patch is None:
            return None
        patches.append(patch)
        after = _prescribed(before, {**texts, patch.file: patch.patched}, rebalance, on_progress)
        if after is None:
            return None
        place = left.location
        left = next((f for f in complaints(after.after) if identity(f) == identity(finding)), None)
        if left is None:
            return (after, patches) if _makes_none(before.after, after.after) else None
        if left.location == place:
            return None
    return None


def _prescribed(
    prescription: Prescription, texts: Mapping[str, str], rebalance: bool, on_progress: OnProgress
) -> Prescription | None:
    """Return the prescription for code with other texts, None where it does not run."""
    try:
        with sources_replaced(texts):
            return prescribe(
                prescription.path, overrides=prescription.overrides, rebalance=rebalance, on_progress=on_progress
            )
    except LossDoctorError:
        return None


def _makes_none(before: Report, after: Report) -> bool:
    """Whether no error or warning has come."""
    return set(map(identity, complaints(after))) <= set(map(identity, complaints(before)))


def _texts(patches: Sequence[SourcePatch]) -> dict[str, str]:
    """Return the text of every patched file, with all of its patches."""
    return {patch.file: patch.patched for patch in patches}
