"""A short training run, judged on data that were kept apart."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from torch import Tensor

from ..config.schema import Config, TrialConfig
from ..errors import LossDoctorError
from ..run_folder import STATE, RunFolder
from ..setup.batches import target_of, to
from ..setup.build import Setup
from ..setup.device import random_state_kept, seed_everything
from ..setup.preserve import preserved
from ..trial_records import FinalOutput, InputEffect, Trial
from ..verdicts import judge_components
from .colors import final_outputs
from .control import measure_input_effect
from .loop import Event, Watch, run
from .pictures import Album, album_steps
from .run_files import RunFiles, checkpoint_steps
from .split import TRAINING_DATA, Split, split_data
from .state import Progress, read_state, restore
from .training import start_training
from .trajectory import measure_point, measuring_steps
from .validation import evaluate, load_metric, score

#: Batches that the gradient shares are measured on: two, for a measurement costs as much as several steps.
MEASURED_BATCHES = 2

#: Validations of a run where `trial.validate_every` is auto, besides the one at the start.
VALIDATIONS = 10


def train(setup: Setup, config: Config, folder: RunFolder, *, watch: Watch, stop: Callable[[], str | None]) -> Trial:
    """Train the setup's model, or go on with the run whose state the folder holds.

    Raises LossDoctorError where the data cannot be split, a step fails, the state does not fit, or the folder cannot be
    written.
    """
    with random_state_kept():
        return _train(setup, config, folder, watch, stop)


def _train(setup: Setup, config: Config, folder: RunFolder, watch: Watch, stop: Callable[[], str | None]) -> Trial:
    trial, split = config.trial, split_data(config, setup)
    metric = load_metric(trial.metric)
    state = read_state(folder.file(STATE), config) if folder.file(STATE).exists() else None
    training = start_training(setup, trial, setup.batches[0])
    seed_everything(setup.seed)
    progress = restore(training, state) if state else Progress()
    start = progress.step
    files = RunFiles(folder, config, training, progress)
    measured = replace(setup, batches=setup.batches[:MEASURED_BATCHES], mode="train")
    judged = replace(setup, batches=list(split.validation[:1]), mode="eval")
    album = Album(judged, progress.stages)

    def measure(step: int) -> None:
        progress.trajectory.append(measure_point(measured, step))

    def validate(step: int) -> None:
        evaluation = evaluate(judged, split.validation, step, split.name, metric)
        progress.metrics.append(evaluation)
        watch.evaluated(evaluation)
        files.offer(step, score(setup.at(step), evaluation, metric))

    outcome = run(
        training,
        split.supply(start * trial.accumulate),
        start=start,
        events=[
            Event(measuring_steps(trial), measure),
            Event(validating_steps(trial), validate),
            Event(album_steps(trial), album.take),
            Event(checkpoint_steps(trial), files.save),
        ],
        on_look=watch.run("training", trial.steps, start),
        stop=stop,
    )
    album.save(folder)
    skipped: dict[str, str] = {
        "floors": "only overfit-batch compares with a perfect prediction: new data hold what no model can foresee",
        "control": "only overfit-batch runs a control",
    }
    outputs, effect = _outputs(setup, split), _input_effect(setup, skipped)
    if not outputs:
        skipped["outputs"] = "no output of the target's shape"
    return Trial(
        kind="train",
        planned=trial.steps,
        steps=outcome.steps,
        stopped=outcome.stopped,
        from_checkpoint=setup.checkpoint is not None,
        seconds=round(outcome.seconds, 3),
        curves=outcome.curves,
        trajectory=tuple(progress.trajectory),
        verdicts=tuple(judge_components(progress.trajectory, {}, ())),
        metrics=tuple(progress.metrics),
        outputs=outputs or None,
        input_effect=effect,
        notes=tuple(_notes(split, start)),
        skipped=skipped,
    )


def validating_steps(trial: TrialConfig) -> frozenset[int]:
    """Return the steps after which the model is judged; before the first and after the last among them."""
    auto = trial.validate_every == "auto"
    every = max(trial.steps // VALIDATIONS, 1) if auto else trial.validate_every
    return frozenset({*range(0, trial.steps, int(every)), trial.steps})


def _outputs(setup: Setup, split: Split) -> tuple[FinalOutput, ...]:
    judged = replace(setup, batches=list(split.validation[:1]), mode="eval")
    target = target_of(judged.batches[0])
    with preserved(setup.model):
        return final_outputs(
            judged.evaluate(0).output, to(target, setup.device) if isinstance(target, Tensor) else None
        )


def _input_effect(setup: Setup, skipped: dict[str, str]) -> InputEffect | None:
    try:
        effect = measure_input_effect(replace(setup, mode="eval"), 0)
    except LossDoctorError as error:
        skipped["input_effect"] = f"the loss refuses an input of zeros: {error.message}"
        return None
    if effect is None:
        skipped["input_effect"] = "the loss does not call the model as a whole, so its input is not known"
    return effect


def _notes(split: Split, resumed: int) -> list[str]:
    apart = [] if split.kept_apart else [TRAINING_DATA]
    return [*apart, *([f"resumed at step {resumed}"] if resumed else [])]
