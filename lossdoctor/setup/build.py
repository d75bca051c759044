"""Config -> Setup."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor, nn

from ..config.schema import Config, Schedule, weight_at
from ..errors import LossDoctorError, UserCodeError
from ..facts.checkpoint import CheckpointFacts
from ..facts.data import DataFacts
from ..models import BUILT_IN
from .batches import Batch, load_batches, resolve, to
from .checkpoint import load_checkpoint
from .device import choose_device, gradients_enabled, precision, random_state_kept, seed_everything
from .loss import Loss, Losses, Total, build_loss, build_total
from .user_code import blaming, import_target, importable


@dataclass(frozen=True)
class Setup:
    """What is examined: model, batches and loss. The only thing that holds tensors and user code.

    `weights`, `roles` and `shares` are keyed by a component's name or by `objective.component`.
    """

    model: nn.Module
    batches: list[Batch]  #: on the host
    loss: Loss
    weights: Mapping[str, float] = field(default_factory=dict)
    roles: Mapping[str, str] = field(default_factory=dict)
    shares: Mapping[str, float] = field(default_factory=dict)
    parameters: str | Mapping[str, str] = "*"  #: pattern of the parameters to differentiate by, or one per objective
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    precision: str = "fp32"
    mode: str = "train"
    seed: int = 0
    checkpoint: CheckpointFacts | None = None
    data: DataFacts | None = None
    total: Total | None = None  #: what is really backpropagated, where the config says so
    schedules: Mapping[str, Schedule] = field(default_factory=dict)  #: of those weights that change while training

    def at(self, step: int) -> Setup:
        """Return the setup with the weights that it has at an optimizer step."""
        return replace(self, weights={**self.weights, **self.scheduled(step)}) if self.schedules else self

    def scheduled(self, step: int) -> dict[str, float]:
        """Return the value at an optimizer step of every weight that follows a schedule."""
        return {name: schedule.at(step) for name, schedule in self.schedules.items()}

    def evaluate(self, index: int) -> Losses:
        """Run model and loss on a batch, always from the same random state."""
        return self.evaluate_on(self.batches[index], index)

    def evaluate_on(self, batch: Batch, index: int) -> Losses:
        """Run model and loss on a made batch, from the random state that batch `index` has."""
        with self._training(index):
            return self.loss(self.model, to(batch, self.device))

    def evaluate_total(self, index: int, weights: Mapping[str, Any]) -> dict[str, Tensor]:
        """Run what is backpropagated on a batch, from the random state that the loss has on it.

        Returns one scalar for every objective. Raises LossDoctorError where the setup names no total.
        """
        if self.total is None:
            message = "needs loss.total, the function that gives what is backpropagated"
            raise LossDoctorError(message, "Name it in the config, as module:callable.")
        with self._training(index):
            return self.total(self.model, to(self.batches[index], self.device), weights)

    @contextlib.contextmanager
    def _training(self, index: int) -> Iterator[None]:
        """Mode, random state and precision of a training step on batch `index`."""
        self.model.train(self.mode == "train")
        seed_everything(self.seed + index)
        with self._as_it_is():
            yield

    def forward(self, batch: Batch) -> Losses:
        """Run model and loss on a batch, in the mode and random state that there is."""
        with self._as_it_is():
            return self.loss(self.model, to(batch, self.device))

    @contextlib.contextmanager
    def _as_it_is(self) -> Iterator[None]:
        """Precision of a training step; what it freezes or unfreezes is undone."""
        trained = trainability(self.model)
        with precision(self.device, self.precision):
            yield
        restore_trainability(trained)

    def weight(self, objective: str, component: str) -> float | None:
        """Return the declared weight of a component, None where there is none."""
        return self.weights.get(f"{objective}.{component}", self.weights.get(component))

    def role(self, objective: str, component: str) -> str | None:
        """Return the declared role of a component."""
        return self.roles.get(f"{objective}.{component}", self.roles.get(component))


@contextlib.contextmanager
def open_setup(config: Config, *, at_step: int | None = None) -> Iterator[Setup]:
    """Build the setup of a config. The user's own modules are importable while it is open.

    Weights that follow a schedule have their value at `at_step`, or at the end of the schedule.
    Raises LossDoctorError for whatever cannot be built.
    """
    user_code = importable(config.folder) if _names_user_code(config) else contextlib.nullcontext()
    device = choose_device(config.measure.device)
    if device.type == "cuda":
        torch.cuda.init()  # or its generators could not be kept
    with random_state_kept(), gradients_enabled(), user_code:
        batches, data = load_batches(config, config.measure.batches)
        model = build_model(config)
        checkpoint = None
        if config.model.checkpoint is not None:
            path = resolve(config.folder, config.model.checkpoint)
            checkpoint = load_checkpoint(model, path, strict=config.model.strict)
        with blaming(f"moving the model to {device}"):
            model = model.to(device)
        yield Setup(
            model=model,
            batches=batches,
            parameters=config.measure.parameters,
            device=device,
            precision=config.measure.precision,
            mode=config.measure.mode,
            seed=config.measure.seed,
            checkpoint=checkpoint,
            data=data,
            **_loss_of(config, device, at_step),
        )


Trainability = list[tuple[nn.Parameter, bool]]


def trainability(model: nn.Module) -> Trainability:
    """Return every parameter with whether it requires grad."""
    return [(parameter, parameter.requires_grad) for parameter in model.parameters()]


def restore_trainability(trained: Trainability) -> None:
    """Let every parameter require grad as it did before a step.

    One that freezes the discriminator for the generator's turn may leave it so; it is trained all the same.
    """
    for parameter, requires_grad in trained:
        if parameter.requires_grad != requires_grad:
            parameter.requires_grad_(requires_grad)


def under_loss_of(config: Config, setup: Setup) -> Setup:
    """Return a setup whose model and batches are those of another, under the loss of a config.

    The other setup has to be open. Raises LossDoctorError for what cannot be built.
    """
    return replace(setup, **_loss_of(config, setup.device))


def _loss_of(config: Config, device: torch.device, at_step: int | None = None) -> dict[str, Any]:
    """Return the fields of a setup that the config's `loss` section decides."""
    declared = declared_weights(config)
    return {
        "loss": build_loss(config, device),
        "weights": {name: weight_at(weight, at_step) for name, weight in declared.items()},
        "roles": config.loss.roles,
        "shares": config.loss.shares,
        "total": build_total(config),
        "schedules": {name: weight for name, weight in declared.items() if isinstance(weight, Schedule)},
    }


def declared_weights(config: Config) -> Mapping[str, float | Schedule]:
    """Return the weights that the config gives, by component."""
    if config.loss.components is None:
        return config.loss.weights
    return {
        name: component.weight for name, component in config.loss.components.items() if component.weight is not None
    }


def build_model(config: Config) -> nn.Module:
    """Return the model of a config with fresh weights that depend on the seed alone."""
    target = config.model.target
    factory = import_target(target, "model.target") if ":" in target else BUILT_IN[target]
    seed_everything(config.measure.seed)
    with blaming("building model.target"):
        model = factory(**config.model.args)
    if not isinstance(model, nn.Module):
        message = f"model.target: {target} returned a {type(model).__name__}, expected a torch.nn.Module"
        raise UserCodeError(message, "Name a class derived from nn.Module, or a function that returns an instance.")
    # What was compiled is measured uncompiled: the compiled graph does not survive several backwards.
    original = getattr(model, "_orig_mod", model)
    return original if isinstance(original, nn.Module) else model


def _names_user_code(config: Config) -> bool:
    loss, data = config.loss, config.data
    targets = [loss.function, loss.step, loss.total, getattr(data, "target", None)]
    return ":" in config.model.target or any(targets)
