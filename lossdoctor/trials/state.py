"""All that a run needs to go on as if nothing had happened, in one file.

One file, because two cannot be replaced at once: a process that dies between them would leave weights of one step and
an optimizer of another.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from pydantic import TypeAdapter
from torch import Tensor, nn

from ..config.keys import Keys, dotted
from ..config.schema import Config
from ..errors import CheckpointError
from ..setup.device import RandomState, random_state, set_random_state
from ..trial_records import Evaluation, TrajectoryPoint
from .training import Training

FORMAT = 1

_TRAJECTORY = TypeAdapter(tuple[TrajectoryPoint, ...])
_METRICS = TypeAdapter(tuple[Evaluation, ...])

#: What may differ between a run and the one that goes on with it.
_FREE = {"steps", "measure_every", "validate_every", "checkpoint_every"}


@dataclass
class Progress:
    """What a run has shown so far, beside the curves."""

    step: int = 0
    trajectory: list[TrajectoryPoint] = field(default_factory=list)
    metrics: list[Evaluation] = field(default_factory=list)
    best: float = float("-inf")
    stages: dict[int, Tensor] = field(default_factory=dict)


def state_of(training: Training, progress: Progress, config: Config) -> dict[str, Any]:
    """Return everything as tensors and plain values, which `torch.load` reads without unpickling."""
    random = random_state()
    numpy = None if random.numpy is None else [random.numpy[0], random.numpy[1].tolist(), *random.numpy[2:]]
    return {
        "format": FORMAT,
        "config": fingerprint(config),
        "step": progress.step,
        "model": training.setup.model.state_dict(),
        "buffers": _buffers_left_out(training.setup.model),
        "optimizers": {
            objective.name: objective.optimizer.state_dict()
            for objective in training.objectives
            if objective.optimizer is not None
        },
        "scaler": training.scaler.state_dict(),
        "random": {**asdict(random), "numpy": numpy},
        "rows": {name: list(rows) for name, rows in training.recorder.rows().items()},
        "trajectory": _TRAJECTORY.dump_json(tuple(progress.trajectory)).decode(),
        "metrics": _METRICS.dump_json(tuple(progress.metrics)).decode(),
        "best": progress.best,
        "stages": progress.stages,
    }


def read_state(path: Path, config: Config) -> dict[str, Any]:
    """Read a training state; nothing in it is unpickled.

    Raises CheckpointError where it cannot be read, or is that of a config that trained something else.
    """
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises almost anything for a damaged file
        message = f"{path} cannot be read: {error}"
        raise CheckpointError(message, "Start the run again with --overwrite.") from error
    if not isinstance(state, dict) or state.get("format") != FORMAT:
        message = f"{path} is no training state of this version"
        raise CheckpointError(message, "Start the run again with --overwrite.")
    was, now = state["config"], fingerprint(config)
    changed = [
        f"{key} was {was.get(key, 'not there')}, and is {now.get(key, 'not there')}"
        for key in sorted(was.keys() | now.keys())
        if was.get(key) != now.get(key)
    ]
    if changed:
        message = f"the config has changed since the run was started: {'; '.join(changed)}"
        advice = "Undo the change, or give the options that the run was started with; or start again with --overwrite."
        raise CheckpointError(message, advice)
    return state


def restore(training: Training, state: Mapping[str, Any]) -> Progress:
    """Put model, optimizers, scaler, curves and random generators where they were; return the rest.

    Raises CheckpointError where the state does not fit the model.
    """
    optimizers = {objective.name: objective.optimizer for objective in training.objectives if objective.optimizer}
    try:
        training.setup.model.load_state_dict(state["model"])
        for name, buffer in _buffers_left_out(training.setup.model).items():
            buffer.copy_(state["buffers"][name])
        for name, optimizer in optimizers.items():
            optimizer.load_state_dict(state["optimizers"][name])
        if training.scaler.is_enabled():
            training.scaler.load_state_dict(state["scaler"])
    except (KeyError, RuntimeError, ValueError) as error:
        message = f"the training state does not fit the model: {error}"
        raise CheckpointError(message, "The model's code has changed: start again with --overwrite.") from error
    training.recorder.restore(state["rows"])
    set_random_state(_random_state(state["random"]))
    return Progress(
        step=state["step"],
        trajectory=list(_TRAJECTORY.validate_json(state["trajectory"])),
        metrics=list(_METRICS.validate_json(state["metrics"])),
        best=state["best"],
        stages=dict(state["stages"]),
    )


def _buffers_left_out(model: nn.Module) -> dict[str, Tensor]:
    """Return the buffers that the state dict does not have: those that are registered as not persistent."""
    saved = model.state_dict().keys()
    return {name: buffer for name, buffer in model.named_buffers() if name not in saved}


def _random_state(saved: Mapping[str, Any]) -> RandomState:
    import numpy as np

    version, numbers, gauss = saved["python"]
    numpy: Sequence[Any] | None = saved["numpy"]
    return RandomState(
        python=(version, tuple(numbers), gauss),
        numpy=None if numpy is None else (numpy[0], np.array(numpy[1], dtype=np.uint32), *numpy[2:]),
        torch=saved["torch"],
        cuda=saved["cuda"],
        mps=saved["mps"],
    )


def fingerprint(config: Config) -> dict[str, str]:
    """Return, by dotted key, what decides the weights that a run arrives at: the values as JSON."""
    sections = config.model_dump(
        mode="json",
        by_alias=True,
        include={"model": True, "data": True, "loss": True, "measure": {"seed", "precision"}, "trial": True},
    )
    free = _FREE if config.trial.schedule == "constant" else _FREE - {"steps"}  # of the others, the end decides
    trial = {key: value for key, value in sections["trial"].items() if key not in free}
    return dict(_leaves({**sections, "trial": trial}))


def _leaves(value: Mapping[str, Any], above: Keys = ()) -> Iterator[tuple[str, str]]:
    for key, entry in value.items():
        if isinstance(entry, Mapping) and entry:
            yield from _leaves(entry, (*above, key))
        else:
            yield dotted((*above, key)), json.dumps(entry)
