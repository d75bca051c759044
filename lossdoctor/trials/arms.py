"""Two arms of a comparison: one model trained under two losses, from the same weights, on the same batches.

An arm is the run that `train` would make of its config, bit by bit on a CPU. Both are judged by the loss of the config
as it is, so that a component has one unit and one meaning.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from PIL import Image
from torch import Tensor, nn

from ..config.schema import Config
from ..errors import LossDoctorError
from ..instruments.tensors import tensors_in
from ..setup.batches import Batch, to
from ..setup.build import open_setup, under_loss_of
from ..setup.device import seed_everything
from ..trial_records import ArmPair, ArmRun, Evaluation, TrajectoryPoint
from .loop import Event, Look, run
from .pictures import Album
from .split import TRAINING_DATA, split_data
from .train import MEASURED_BATCHES, validating_steps
from .training import Training, start_training
from .trajectory import measure_point, measuring_steps
from .validation import evaluate, load_metric

OTHER_BATCHES = (
    "the data do not follow the seed: the arms saw different batches, and differ by that chance as well as by the loss"
)

#: Called with the name of an arm, its seed and its steps, before each is trained.
WatchArm = Callable[[str, int, int], Look]


@dataclass(frozen=True)
class _Trained:
    """An arm when it has been trained, and what the other one is held against."""

    run: ArmRun
    initial: Mapping[str, Tensor]  #: the weights that it started from
    batches: Sequence[Batch]  #: the first that it was judged by, and the first that it was trained on
    album: Album
    kept_apart: bool


def train_pair(
    as_is: Config, fixed: Config, watch: WatchArm, *, with_shares: bool
) -> tuple[ArmPair, Image.Image | None]:
    """Train both arms from the seed of the configs, which differ in their loss alone; return pictures as well.

    User code is imported anew for each arm, so that what it counts or caches starts afresh in both. `with_shares` also
    measures the gradient shares of the fixed arm on the way.

    Raises LossDoctorError where an arm cannot be built or trained, or nothing could tell which one is better.
    """
    seed, steps = as_is.measure.seed, as_is.trial.steps
    first = _train(as_is, as_is, None, watch("as is", seed, steps), with_shares=False)
    second = _train(fixed, as_is, first.initial, watch("fixed", seed, steps), with_shares=with_shares)
    notes = [
        *([] if first.kept_apart else [TRAINING_DATA]),
        *([] if _identical(first.batches, second.batches) else [OTHER_BATCHES]),
    ]
    return ArmPair(first.run, second.run, tuple(notes)), _side_by_side(first.album, second.album)


def _train(
    config: Config, as_is: Config, initial: Mapping[str, Tensor] | None, look: Look, *, with_shares: bool
) -> _Trained:
    trial = config.trial
    with open_setup(config) as setup:
        judge = replace(setup if config is as_is else under_loss_of(as_is, setup), mode="eval")
        split, metric = split_data(config, setup), load_metric(trial.metric)
        if initial is not None:
            setup.model.load_state_dict(initial)
        metrics = [evaluate(judge, split.validation, 0, split.name, metric)]
        start = _copy_of_weights(setup.model)
        training, trained_on = start_training(setup, trial, setup.batches[0]), list[Batch]()
        _refuse_without_judge(training, metrics[0])
        measured = replace(setup, batches=setup.batches[:MEASURED_BATCHES], mode="train")
        trajectory: list[TrajectoryPoint] = []
        album = Album(replace(judge, batches=list(split.validation[:1])))

        def measure(step: int) -> None:
            trajectory.append(measure_point(measured, step))

        def validate(step: int) -> None:
            metrics.append(evaluate(judge, split.validation, step, split.name, metric))

        seed_everything(setup.seed)
        outcome = run(
            training,
            _first_kept(split.supply(0), trained_on),
            events=[
                *([Event(measuring_steps(trial), measure)] if with_shares else []),
                Event(validating_steps(trial) - {0}, validate),
                Event(frozenset({0, trial.steps}), album.take),
            ],
            on_look=look,
        )
        arm = ArmRun(
            seed=setup.seed,
            steps=outcome.steps,
            stopped=outcome.stopped,
            seconds=round(outcome.seconds, 3),
            curves=outcome.curves,
            metrics=tuple(metrics),
            trajectory=tuple(trajectory),
        )
        return _Trained(arm, start, [*split.validation[:1], *trained_on], album, split.kept_apart)


def _refuse_without_judge(training: Training, start: Evaluation) -> None:
    """Refuse what nothing can judge: what an adversarial component is worth changes with what its opponent learns."""
    adversarial = all(objective.adversarial for objective in training.objectives)
    if adversarial and training.trial.metric is None and "psnr" not in start.metrics:
        message = "nothing can tell which config is better: every component is adversarial"
        raise LossDoctorError(message, "Name what counts as trial.metric, a function (model, batch) -> number.")


def _copy_of_weights(model: nn.Module) -> dict[str, Any]:
    return {
        name: value.detach().clone() if isinstance(value, Tensor) else value
        for name, value in model.state_dict().items()
    }


def _first_kept(batches: Iterator[Batch], kept: list[Batch]) -> Iterator[Batch]:
    """Yield batches, and keep a copy of the first one."""
    first = next(batches)
    kept.append(to(first, torch.device("cpu")))
    yield from itertools.chain([first], batches)


def _identical(some: Sequence[Batch], others: Sequence[Batch]) -> bool:
    """Whether two lists of batches hold the same tensors, as far as tensors can be found in them."""
    ours, theirs = tensors_in(list(some)), tensors_in(list(others))
    return ours.keys() == theirs.keys() and all(
        torch.equal(ours[name].nan_to_num(), theirs[name].nan_to_num()) for name in ours
    )


def _side_by_side(as_is: Album, fixed: Album) -> Image.Image | None:
    """Return one row per sample: input, where both arms started, where each ended, target."""
    if not (as_is.stages and fixed.stages):
        return None
    first, last = min(as_is.stages), max(as_is.stages)
    outputs = {"start": as_is.stages[first], "as is": as_is.stages[last], "fixed": fixed.stages[max(fixed.stages)]}
    return as_is.framed(outputs)
