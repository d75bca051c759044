"""lossdoctor as a library."""

from __future__ import annotations

import importlib.metadata
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .config.load import load_config, parse_config
from .config.measured_names import check_measured_names
from .config.schema import Config
from .progress import OnProgress
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
    on_progress: OnProgress | None = None,
) -> Report:
    """Measure a composite loss on a few batches and diagnose it.

    `config` is the path of a config file, its content as a mapping, a loaded `Config`, or a `Setup` of live objects.
    `overrides` are `key.path=value` strings for a path. `quick` runs only the gradient and operand instruments. Weights
    that follow a schedule have their value at the optimizer step `at_step`, or at the end of the schedule.

    Raises LossDoctorError, with a message that says what to do, where the setup cannot be built or measured. Model,
    gradients, modes and random generators are afterwards what they were before.
    """
    from .setup.build import Setup, open_setup

    if isinstance(config, Setup):
        return _report(config, None, quick, on_progress)
    if isinstance(config, (str, Path)):
        config = load_config(config, overrides)
    elif not isinstance(config, Config):
        config = parse_config(config)
    with open_setup(config, at_step=at_step) as setup:
        return _report(setup, config, quick, on_progress)


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
        environment=_environment(next((p.device for p in model.parameters()), "cpu"), 1, started),
    )


def _report(
    setup: Setup,
    config: Config | None,
    quick: bool,
    on_progress: OnProgress | None,
) -> Report:
    from .instruments.examine import examine

    started = time.perf_counter()
    examination = examine(setup, quick=quick, **({"on_progress": on_progress} if on_progress else {}))
    if config is not None and examination.gradients is not None:
        check_measured_names(config, {objective.name: objective.components for objective in examination.gradients})
    return build_report(
        Case(config=config, examination=examination),
        command="inspect",
        config=str(config.path) if config else "",
        environment=_environment(setup.device, len(setup.batches), started)
        | {"precision": setup.precision, "mode": setup.mode, "seed": setup.seed},
    )


def _environment(device: object, batches: int, started: float) -> dict[str, Any]:
    return {
        "torch": importlib.metadata.version("torch"),
        "device": str(device),
        "batches": batches,
        "seconds": round(time.perf_counter() - started, 3),
    }
