"""One optimizer step, as a practitioner would write it: forward, backward, clip, step."""

from __future__ import annotations

import contextlib
import functools
import operator
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import torch
from torch import Tensor

from ..config.schema import TrialConfig
from ..setup.batches import Batch, to
from ..setup.build import Setup, Trainability, restore_trainability, trainability
from ..setup.device import plain_float32, precision
from ..setup.loss import Losses, as_vector
from ..setup.preserve import preserved
from ..setup.user_code import blaming
from .optimizers import TrainedObjective, trained_objectives
from .recorder import CurveRecorder


@dataclass(frozen=True)
class Training:
    """What changes while a model is trained: its weights, the optimizers' state, and the record of it."""

    setup: Setup
    trial: TrialConfig
    objectives: tuple[TrainedObjective, ...]
    scaler: torch.amp.GradScaler  #: does nothing unless the precision is fp16
    recorder: CurveRecorder = field(default_factory=CurveRecorder)

    @cached_property
    def trainability(self) -> Trainability:
        """What requires grad, listed once: to go through all modules in every step takes time."""
        return trainability(self.setup.model)

    def step(self, index: int, batches: Sequence[Batch]) -> None:
        """Make optimizer step `index`, counted from 0, on the mean gradient of one or more batches.

        Nothing in it waits for the device, but a GradScaler, which has to know whether a gradient overflowed.
        """
        setup = self.setup.at(index)
        for batch in batches:
            self._accumulate(setup, batch, 1 / len(batches))
        factor = self.trial.lr_factor(index)
        for objective in self.objectives:
            if objective.optimizer is not None:
                self._update(objective, objective.optimizer, factor)
        if self.scaler.is_enabled() and any(objective.optimizer for objective in self.objectives):
            self.scaler.update()

    def _accumulate(self, setup: Setup, batch: Batch, part: float) -> None:
        """Add the gradient of one batch to `.grad`, for every objective on the parameters that it trains."""
        losses = self._forward(setup, batch)
        trained = [o for o in self.objectives if o.name in losses.objectives and o.parameters]
        totals = {objective: _total(setup, objective.name, losses, part) for objective in trained}
        pending = [objective for objective in trained if totals[objective].requires_grad]
        for objective in pending:
            # Only what the objective trains: a generator's loss would else leave its gradient in the discriminator.
            with blaming(f"the backward pass of {objective.name}"):
                self.scaler.scale(totals[objective]).backward(
                    inputs=list(objective.parameters), retain_graph=objective is not pending[-1]
                )
        for name, components in losses.objectives.items():
            with torch.no_grad():
                self.recorder.record(name, tuple(components), as_vector(components))

    def _forward(self, setup: Setup, batch: Batch) -> Losses:
        """Do what `Setup.forward` does; real float32 has been switched on for all steps by `training_mode`."""
        half = setup.precision != "fp32"
        trained = self.trainability
        with precision(setup.device, setup.precision) if half else contextlib.nullcontext():
            losses = setup.loss(setup.model, to(batch, setup.device))
        restore_trainability(trained)
        return losses

    def _update(self, objective: TrainedObjective, optimizer: torch.optim.Optimizer, factor: float) -> None:
        for group in optimizer.param_groups:
            group["lr"] = objective.lr * factor
        if not any(parameter.grad is not None for parameter in objective.parameters):
            return  # nothing reaches them, and a GradScaler would complain of it
        if self.trial.clip is not None:
            self.scaler.unscale_(optimizer)
            torch.nn.utils.clip_grad_norm_(objective.parameters, self.trial.clip)
        self.scaler.step(optimizer)
        optimizer.zero_grad(set_to_none=True)


def start_training(setup: Setup, trial: TrialConfig, first: Batch) -> Training:
    """Return a training of the setup's model that has not made a step.

    `first` is a batch that is run once to see the objectives; it leaves no trace. Raises LossDoctorError where the
    parameters of several objectives are ambiguous, and for optimizers that torch does not have.
    """
    setup.model.train()
    with preserved(setup.model):
        losses = setup.forward(first)
        objectives = trained_objectives(setup, trial, losses)
    scaler = torch.amp.GradScaler(setup.device.type, enabled=setup.precision == "fp16")
    return Training(setup, trial, objectives, scaler)


@contextlib.contextmanager
def training_mode(training: Training) -> Iterator[None]:
    """Train in the model's train mode, and fp32 in real float32."""
    training.setup.model.train()
    with plain_float32() if training.setup.precision == "fp32" else contextlib.nullcontext():
        yield


def _total(setup: Setup, objective: str, losses: Losses, part: float) -> Tensor:
    """Return what is backpropagated, in the order in which it would be written: part · (w₁·L₁ + w₂·L₂ + …)."""
    terms = []
    for name, scalar in losses.objectives[objective].items():
        value = scalar.to(torch.promote_types(scalar.dtype, torch.float32))
        weight = setup.weight(objective, name)
        terms.append(value if weight is None or weight == 1.0 else weight * value)
    total = functools.reduce(operator.add, terms)
    return total if part == 1.0 else total * part
