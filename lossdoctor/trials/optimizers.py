"""Optimizers by the names that torch gives them, one for every objective."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer

from ..config.schema import ObjectiveTrialConfig, TrialConfig
from ..config.suggest import did_you_mean
from ..errors import LossDoctorError
from ..instruments.autograd_graph import leaves
from ..instruments.ownership import parameters_of_objectives
from ..setup.build import Setup
from ..setup.loss import Losses

OPTIMIZERS: Mapping[str, type[Optimizer]] = {
    name.lower(): value
    for name, value in vars(torch.optim).items()
    if isinstance(value, type) and issubclass(value, Optimizer) and value is not Optimizer
}

#: It evaluates the loss several times in a step, which no other part of a trial expects.
_WITH_CLOSURE = "lbfgs"


@dataclass(frozen=True)
class TrainedObjective:
    """One objective, the parameters that it trains, and the optimizer that changes them."""

    name: str
    parameters: tuple[nn.Parameter, ...]
    optimizer: Optimizer | None  #: None where there is nothing to train
    lr: float  #: before warm-up and decay
    adversarial: bool

    @property
    def scalars(self) -> int:
        """How many numbers it trains."""
        return sum(parameter.numel() for parameter in self.parameters)


def trained_objectives(setup: Setup, trial: TrialConfig, losses: Losses) -> tuple[TrainedObjective, ...]:
    """Return every objective with an optimizer of its own, out of the losses of one evaluated batch.

    An objective trains the parameters of its pattern in `trial.parameters`, else those that it owns; a single one
    trains all. Raises LossDoctorError for patterns that do not fit, and optimizers that torch does not have.
    """
    _refuse_unknown(trial, losses)
    patterns = trial.parameters or (setup.parameters if isinstance(setup.parameters, Mapping) else "*")
    chosen = parameters_of_objectives(replace(setup, parameters=patterns), losses, key="trial.parameters")
    parameters = {name: tuple(own.measured.values()) for name, own in chosen.items()}
    adversarial = adversarial_objectives(losses, parameters)
    return tuple(_with_optimizer(name, own, trial, name in adversarial) for name, own in parameters.items())


def _refuse_unknown(trial: TrialConfig, losses: Losses) -> None:
    for table, names in (("parameters", trial.parameters), ("objectives", trial.objectives)):
        for name in names:
            if name not in losses.objectives:
                message = f"trial.{table}: there is no objective {name!r}"
                advice = did_you_mean(name, losses.objectives) or f"The loss has {', '.join(losses.objectives)}."
                raise LossDoctorError(message, advice)


def _with_optimizer(
    name: str, parameters: tuple[nn.Parameter, ...], trial: TrialConfig, adversarial: bool
) -> TrainedObjective:
    own = trial.objectives.get(name, ObjectiveTrialConfig())
    lr = trial.lr if own.lr is None else own.lr
    options = trial.options if own.options is None else own.options
    build = optimizer_class(own.optimizer or trial.optimizer)
    optimizer = _build(build, parameters, lr, options) if parameters else None
    return TrainedObjective(name, parameters, optimizer, lr, adversarial)


def optimizer_class(name: str) -> type[Optimizer]:
    """Return the optimizer of torch.optim that a name means, in any case. Raises LossDoctorError for others."""
    if name.lower() == _WITH_CLOSURE:
        message = "trial.optimizer: LBFGS evaluates the loss several times in a step, which a trial cannot follow"
        raise LossDoctorError(message, "Try adam: a trial shows whether the loss can be minimised, not how fast.")
    if name.lower() not in OPTIMIZERS:
        message = f"trial.optimizer: torch.optim has no {name!r}"
        raise LossDoctorError(message, did_you_mean(name.lower(), OPTIMIZERS) or f"It has {', '.join(OPTIMIZERS)}.")
    return OPTIMIZERS[name.lower()]


def _build(
    optimizer: Callable[..., Optimizer], parameters: tuple[nn.Parameter, ...], lr: float, options: Mapping[str, Any]
) -> Optimizer:
    # YAML has lists where torch has tuples.
    arguments = {key: tuple(value) if isinstance(value, list) else value for key, value in options.items()}
    try:
        return optimizer(parameters, lr=lr, **arguments)
    except (TypeError, ValueError, RuntimeError) as error:
        name = getattr(optimizer, "__name__", "the optimizer")
        message = f"trial.options: {name} refuses them: {error}"
        raise LossDoctorError(message, f"They are the keyword arguments of torch.optim.{name}.") from error


def adversarial_objectives(losses: Losses, parameters: Mapping[str, tuple[nn.Parameter, ...]]) -> set[str]:
    """Return the objectives that reach what another one trains, and those whose parameters are reached.

    A generator's loss goes through the discriminator: what it is worth changes with what the other one learns.
    """
    reach = {
        name: {leaf for scalar in components.values() for leaf in leaves(scalar)}
        for name, components in losses.objectives.items()
    }
    trained = {name: set(map(id, own)) for name, own in parameters.items()}
    return {
        name
        for name in reach
        for other in reach
        if other != name and (reach[name] & trained[other] or reach[other] & trained[name])
    }
