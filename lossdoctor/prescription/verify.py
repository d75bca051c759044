"""Proving a prescription by a trial: the config as it is and the changed one, trained side by side."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from ..config.load import config_of, load_config
from ..errors import LossDoctorError
from ..reports.curves_png import draw_arms
from ..reports.prescription_report import prescription_json
from ..run_folder import RunFolder, claim_folder, default_folder, open_folder
from ..trial_records import ArmPair
from ..trial_view import Look, TrialView
from .drift import drifted
from .prescription import Prescription
from .proof import Proof, distinct, judge_pairs

#: Whose run the folder holds.
COMMAND = "fix --verify"

#: With fewer, the interval is too wide to prove anything: two need a mean of nine standard deviations.
LEAST_SEEDS = 3


@dataclass(frozen=True)
class Verification:
    """How a prescription is to be proved, and where what is shown goes."""

    folder: RunFolder
    seeds: int
    from_checkpoint: bool


def plan_verification(
    path: Path,
    overrides: Sequence[str],
    *,
    seeds: int,
    from_checkpoint: bool,
    output_dir: str | Path | None,
    overwrite: bool,
) -> Verification:
    """Return how to verify, without anything measured or written yet. Raises LossDoctorError for what cannot work."""
    if seeds < LEAST_SEEDS:
        message = f"{seeds} seeds are too few to tell a difference from chance"
        raise LossDoctorError(message, f"Take {LEAST_SEEDS} or more.")
    if from_checkpoint and load_config(path, overrides).model.checkpoint is None:
        message = f"{path} names no model.checkpoint to start from"
        raise LossDoctorError(message, "Leave out --from-checkpoint to start from fresh weights.")
    folder = default_folder(path.with_stem(f"{path.stem}-verify")) if output_dir is None else Path(output_dir)
    return Verification(claim_folder(folder, path, COMMAND, overwrite=overwrite), seeds, from_checkpoint)


def verified(prescription: Prescription, plan: Verification, view: TrialView) -> Prescription:
    """Train both configs from the same weights, on the same batches, for every seed; return the verdict with them.

    Runs start from fresh weights, which every seed draws anew, or all from the checkpoint. Costs two trainings of
    `trial.steps` steps for every seed. Curves, and pictures of the first seed, go into the folder. A prescription that
    changes nothing has nothing to prove and is returned as it is.

    Raises LossDoctorError where an arm cannot be trained, nothing can judge it, or the folder cannot be written.
    """
    if not prescription.diff:
        return prescription
    began = time.perf_counter()
    open_folder(plan.folder, prescription.path, COMMAND, keep=False)
    pairs = tuple(_trained(prescription, plan, view))
    different = distinct(pairs)
    outcome, judgements = judge_pairs(different)
    config = config_of(prescription.fixed, prescription.path, prescription.overrides)
    proof = Proof(
        outcome=outcome,
        judgements=judgements,
        pairs=pairs,
        steps=config.trial.steps,
        from_checkpoint=plan.from_checkpoint,
        seconds=round(time.perf_counter() - began, 3),
        notes=tuple(_notes(pairs, different)),
    )
    plan.folder.write("curves.png", lambda path: path.write_bytes(draw_arms(proof)))
    files = (str(plan.folder.file("report.json")), *plan.folder.written())
    warnings = drifted(prescription, pairs[0].fixed.trajectory, config.loss.tolerance)
    return replace(prescription, proof=replace(proof, files=files), warnings=(*prescription.warnings, *warnings))


def write_report(prescription: Prescription, plan: Verification) -> None:
    """Write all there is to know into the folder, where something was proved or refuted."""
    if prescription.proof:
        text = prescription_json(prescription)
        plan.folder.write("report.json", lambda path: path.write_text(text, encoding="utf-8"))


def _trained(prescription: Prescription, plan: Verification, view: TrialView) -> Iterator[ArmPair]:
    """Yield both arms of one seed after the other, from that of the config on; the first with shares and pictures."""
    from ..trials.arms import train_pair

    overrides = [*prescription.overrides, *([] if plan.from_checkpoint else ["model.checkpoint=null"])]
    first = config_of(prescription.text, prescription.path, overrides).measure.seed
    runs_left = itertools.count(2 * plan.seeds - 1, -1)

    def watch(arm: str, seed: int, steps: int) -> Look:
        return view.watch(f"{arm}, seed {seed}", steps, later=next(runs_left))

    for seed in range(first, first + plan.seeds):
        seeded = [*overrides, f"measure.seed={seed}"]
        as_is, fixed = (config_of(text, prescription.path, seeded) for text in (prescription.text, prescription.fixed))
        pair, picture = train_pair(as_is, fixed, watch, with_shares=seed == first)
        if picture is not None and seed == first:
            plan.folder.write("samples.png", partial(picture.save, format="PNG"))
        yield pair


def _notes(pairs: Sequence[ArmPair], different: Sequence[ArmPair]) -> Iterator[str]:
    yield from dict.fromkeys(note for pair in pairs for note in pair.notes)
    for pair in pairs:
        for arm, run in pair.arms.items():
            if run.stopped:
                yield f"{arm}, seed {run.seed}, ended after {run.steps} steps: {run.stopped}"
    if len(different) < len(pairs):
        runs = f"{len(different)} different run{'s' * (len(different) > 1)}"
        yield f"seeds that change neither weights nor batches prove nothing more: {len(pairs)} of them made {runs}"
