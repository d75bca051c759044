"""lossdoctor as a library."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .checkpoint_files import matching_files
from .config.load import load_config, parse_config
from .config.schema import Config
from .errors import LossDoctorError
from .inspection import environment, inspect_config, inspect_setup
from .progress import OnProgress, silent
from .records import Report
from .report import build_report
from .rules.base import Case

if TYPE_CHECKING:
    from torch import Tensor, nn  # noqa: TID251 - for the type checker alone

    from .prescription.prescription import Prescription
    from .setup.build import Setup
    from .trial_view import TrialView


def inspect(
    config: str | Path | Mapping[str, Any] | Config | Setup,
    *,
    overrides: Sequence[str] = (),
    quick: bool = False,
    at_step: int | None = None,
    checkpoints: Sequence[str] = (),
    on_progress: OnProgress = silent,
) -> Report:
    """Measure a composite loss on a few batches and diagnose it.

    `config` is the path of a config file, its content as a mapping, a loaded `Config`, or a `Setup` of live objects.
    `overrides` are `key.path=value` strings for a path. `quick` runs only the gradient and operand instruments. Weights
    that follow a schedule have their value at the optimizer step `at_step`, or at the end of the schedule.
    `checkpoints` are patterns of files (`ckpt/*.safetensors`) saved during a training of the model: the report's
    `trial.trajectory` has the measurement of each.

    Raises LossDoctorError, with a message that says what to do, where the setup cannot be built or measured. Model,
    gradients, modes and random generators are afterwards what they were before.
    """
    files = matching_files(checkpoints)
    if isinstance(config, (str, Path)):
        config = load_config(config, overrides)
    from .setup.build import Setup  # imports torch, for which a misspelt key should not have to wait

    if isinstance(config, Setup):
        return inspect_setup(config, quick=quick, checkpoints=files, on_progress=on_progress).report
    if not isinstance(config, (Config, Mapping)):
        message = f"inspect: a {type(config).__name__} is no config"
        raise LossDoctorError(message, "Give the path of a config file, its content as a mapping, or a Setup.")
    if not isinstance(config, Config):
        config = parse_config(config)
    return inspect_config(config, quick=quick, at_step=at_step, checkpoints=files, on_progress=on_progress).report


def fix(
    config: str | Path,
    *,
    overrides: Sequence[str] = (),
    checkpoints: Sequence[str] = (),
    rebalance: bool = False,
    verify: bool = False,
    seeds: int = 3,
    from_checkpoint: bool = False,
    output_dir: str | Path | None = None,
    overwrite: bool = False,
    output: str | Path | None = None,
    backup: bool = False,
    apply_source: bool = False,
    view: TrialView | None = None,
) -> Prescription:
    """Find the changes of a config file that cure its findings, and with `verify` prove by a trial that they help.

    `verify` trains the config as it is and the changed one from the same weights, on the same batches, with three
    `seeds` or more, for `trial.steps` steps each: `prescription.proof` has every run, the measures and the verdict.
    Runs start from fresh weights unless `from_checkpoint`. Curves and pictures go into `output_dir`
    (`runs/<config name>-verify`), where an earlier run is refused unless `overwrite`.

    `checkpoints` are patterns of files saved during a training of the model: `prescription.warnings` says where the
    shares that new weights were set for do not last until its end.

    `output` is the file to write, which may be `config` itself, with the old one as `.bak` beside it with `backup`;
    nothing is written without it, or where the trial does not prove the change. `apply_source` also changes the user's
    own code where a finding comes with a patch that is measured to help.

    Raises LossDoctorError where the config cannot be read, measured or trained, or something cannot be written.
    """
    from .prescription.apply import destination, write_prescription
    from .prescription.drift import followed
    from .prescription.prescribe import prescribe
    from .prescription.prove_patches import prove_patches, write_patches
    from .prescription.verify import plan_verification, verified, write_report
    from .trial_view import TrialView

    path, view, files = Path(config), view or TrialView(), matching_files(checkpoints)
    target = None if output is None else destination(path, Path(output))
    plan = None
    if verify:
        if apply_source:
            message = "a trial compares two configs with the same code: it cannot prove a patch of the code"
            raise LossDoctorError(message, "Apply the patches first, then verify what the config still lacks.")
        plan = plan_verification(
            path, overrides, seeds=seeds, from_checkpoint=from_checkpoint, output_dir=output_dir, overwrite=overwrite
        )
    prescription = prescribe(path, overrides=overrides, rebalance=rebalance, on_progress=view.on_progress)
    patched = prove_patches(prescription, rebalance=rebalance, on_progress=view.on_progress)
    patching = apply_source and target is not None
    prescription = write_patches(patched) if patching else replace(prescription, patches=patched.patches)
    if files:
        prescription = followed(prescription, files, view.on_progress)
    if plan:
        prescription = verified(prescription, plan, view)
        write_report(prescription, plan)  # whatever becomes of the config, minutes of training are kept
    if target and not prescription.is_refuted:
        prescription = replace(prescription, written=write_prescription(prescription, target, backup=backup))
        if plan:
            write_report(prescription, plan)
    return prescription


def measure(
    components: Mapping[str, Tensor] | Mapping[str, Mapping[str, Tensor]],
    *,
    model: nn.Module,
    weights: Mapping[str, float] | None = None,
    roles: Mapping[str, str] | None = None,
) -> Report:
    """Diagnose live scalars inside a training loop, between forward and backward.

    `components` are the unweighted scalars of the step, by name, or nested as `{objective: {component: scalar}}`. The
    graph is kept, so the step's own `backward()` works afterwards; `.grad` is not touched. Only what one batch of
    gradients can show is judged, the other rules are listed as skipped.

    Raises LossDoctorError for what is no scalar, or where the gradients cannot be taken.
    """
    from .instruments.live import live_examination

    started = time.perf_counter()
    examination = live_examination(components, model, weights or {}, roles or {})
    return build_report(
        Case(examination=examination),
        command="measure",
        config="",
        environment=environment(next((p.device for p in model.parameters()), "cpu"), 1, started),
    )
