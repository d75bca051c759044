"""Overfitting one batch: whether the loss can be minimised at all, component by component."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from ..config.schema import Config
from ..errors import LossDoctorError
from ..run_folder import RunFolder
from ..setup.batches import Batch, target_of, to
from ..setup.build import Setup, build_model
from ..setup.device import random_state_kept, seed_everything
from ..setup.preserve import preserved
from ..setup.user_code import blaming
from ..trial_records import Curve, FinalOutput, TrajectoryPoint, Trial
from ..verdicts import judge_components
from .colors import final_outputs
from .control import InputSwitch, measure_input_effect
from .floors import Floors, perfect_values
from .loop import Event, Outcome, Watch, run
from .pictures import Album, album_steps
from .run_files import RunFiles, checkpoint_steps
from .state import Progress
from .training import start_training
from .trajectory import measure_point, measuring_steps
from .validation import evaluate_scale_free, load_metric


@dataclass(frozen=True)
class OverfitOptions:
    """What `overfit-batch` takes beside the config."""

    batch_index: int = 0
    from_checkpoint: bool = False


def overfit_batch(
    setup: Setup,
    config: Config,
    options: OverfitOptions,
    folder: RunFolder,
    *,
    watch: Watch,
    stop: Callable[[], str | None],
) -> Trial:
    """Train on one batch of the setup until it is learned by heart, and again with the input zeroed.

    Every step starts from the same random state, so that dropout, sampled noise and time steps are the same: what is
    left is a function of the weights alone. The setup's own model is not touched.

    Raises LossDoctorError where the batch or the checkpoint to start from does not exist, a step fails, or the folder
    cannot be written.
    """
    if options.from_checkpoint and setup.checkpoint is None:
        message = "--from-checkpoint: the config names no checkpoint to start from"
        raise LossDoctorError(message, "Name one in model.checkpoint, and leave out --from-scratch.")
    if options.batch_index >= len(setup.batches):
        message = f"--batch-index {options.batch_index}: there are {len(setup.batches)} batches, counted from 0"
        raise LossDoctorError(message, "Measure more of them with --batches.")
    skipped: dict[str, str] = {}
    with random_state_kept():
        one = _fresh(setup, config, options)
        floors = _floors(one, options, skipped)
        training, album = start_training(one, config.trial, one.batches[0]), Album(one)
        files = RunFiles(folder, config, training, Progress())
        trajectory, metrics = files.progress.trajectory, files.progress.metrics
        metric = load_metric(config.trial.metric)

        def measure(step: int) -> None:
            trajectory.append(measure_point(one, step))
            files.offer(step, _score(trajectory[-1]))
            if (evaluation := evaluate_scale_free(one, step, "overfitted", metric)).metrics:
                metrics.append(evaluation)
                watch.evaluated(evaluation)

        outcome = run(
            training,
            same_batch(one),
            events=[
                Event(measuring_steps(config.trial), measure),
                Event(album_steps(config.trial), album.take),
                Event(checkpoint_steps(config.trial), files.save),
            ],
            on_look=watch.run("overfitting one batch", config.trial.steps, 0),
            stop=stop,
        )
        album.save(folder)
        outputs, effect = _outputs(one), measure_input_effect(one, 0)
        control = _control(setup, config, options, outcome, skipped, watch, stop)
    if effect is None:
        skipped["input_effect"] = "the loss does not call the model as a whole, so its input is not known"
    if outputs == ():
        skipped["outputs"] = "no output of the target's shape"
    return Trial(
        kind="overfit-batch",
        planned=config.trial.steps,
        steps=outcome.steps,
        stopped=outcome.stopped,
        from_checkpoint=options.from_checkpoint,
        seconds=round(outcome.seconds, 3),
        curves=outcome.curves,
        trajectory=tuple(trajectory),
        verdicts=tuple(judge_components(trajectory, floors or {}, control or ())),
        metrics=tuple(metrics),
        control=control,
        floors=floors,
        outputs=outputs or None,
        input_effect=effect,
        skipped=skipped,
    )


def _score(point: TrajectoryPoint) -> float:
    """Return minus the sum of the totals: the lower they are, the better the weights."""
    totals = [objective.value for objective in point.objectives]
    return -sum(total for total in totals if total is not None) if None not in totals else -math.inf


def same_batch(setup: Setup) -> Iterator[Batch]:
    """Yield the setup's first batch for ever, the random generators in the same state each time."""
    while True:
        seed_everything(setup.seed)
        yield setup.batches[0]


def _fresh(setup: Setup, config: Config, options: OverfitOptions) -> Setup:
    """Return a setup of one batch and a model of its own: fresh weights, or a copy of those examined."""
    model = build_model(config)
    if options.from_checkpoint:
        model.load_state_dict(setup.model.state_dict())
    with blaming(f"moving the model to {setup.device}"):
        model = model.to(setup.device)
    return replace(setup, model=model, batches=[setup.batches[options.batch_index]], mode="train")


def _floors(setup: Setup, options: OverfitOptions, skipped: dict[str, str]) -> Floors | None:
    """Return the value of a perfect prediction; None with the reason."""
    if options.from_checkpoint:
        skipped["floors"] = "the run did not start from fresh weights"
        return None
    try:
        return perfect_values(setup, 0)
    except LossDoctorError as error:
        skipped["floors"] = error.message
        return None


def _outputs(setup: Setup) -> tuple[FinalOutput, ...]:
    with preserved(setup.model):
        return final_outputs(setup.evaluate(0).output, to(target_of(setup.batches[0]), setup.device))


def _control(
    setup: Setup,
    config: Config,
    options: OverfitOptions,
    outcome: Outcome,
    skipped: dict[str, str],
    watch: Watch,
    stop: Callable[[], str | None],
) -> tuple[Curve, ...] | None:
    """Return the curves of the same run, from the same weights, with the input zeroed; None with the reason."""
    if outcome.stopped is not None:
        skipped["control"] = f"the run itself did not end: {outcome.stopped}"
        return None
    blind = _fresh(setup, config, options)
    switch = InputSwitch(blind.model)
    try:
        with switch.off():
            training = start_training(blind, config.trial, blind.batches[0])
            if switch.calls:
                control = run(
                    training,
                    same_batch(blind),
                    on_look=watch.run("control, input zeroed", config.trial.steps, 0),
                    stop=stop,
                )
    except LossDoctorError as error:
        skipped["control"] = f"the loss refuses an input of zeros: {error.message}"
        return None
    if not switch.calls:
        skipped["control"] = "the loss does not call the model as a whole, so its input is not known"
        return None
    if control.stopped is not None:
        skipped["control"] = f"the control run did not end: {control.stopped}"
        return None
    return control.curves
