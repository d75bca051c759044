"""lossdoctor as a library."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .checkpoint_files import matching_files
from .config.load import load_config, parse_config
from .config.schema import Config
from .inspection import environment, inspect_config, inspect_setup
from .progress import OnProgress, silent
from .records import Report
from .report import build_report
from .rules.base import Case

if TYPE_CHECKING:
    from torch import Tensor, nn  # noqa: TID251 - for the type checker alone

    from .setup.build import Setup


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
    from .setup.build import Setup

    if isinstance(config, Setup):
        return inspect_setup(config, quick=quick, checkpoints=files, on_progress=on_progress).report
    if isinstance(config, (str, Path)):
        config = load_config(config, overrides)
    elif not isinstance(config, Config):
        config = parse_config(config)
    return inspect_config(config, quick=quick, at_step=at_step, checkpoints=files, on_progress=on_progress).report


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
