"""Which parameters each objective is measured on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase

from torch import nn

from ..errors import LossDoctorError
from ..setup.build import Setup
from ..setup.loss import Losses
from .autograd_graph import leaves


@dataclass(frozen=True)
class Parameters:
    """The parameters of one objective."""

    measured: Mapping[str, nn.Parameter]  #: differentiated by, by name
    trained: frozenset[int]  #: ids of those that the objective may train; a component that reaches none is not attached


def trainable(model: nn.Module) -> dict[str, nn.Parameter]:
    """Return the parameters that require grad, by name; tied ones once."""
    return {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}


def top_level_modules(model: nn.Module) -> dict[str, str]:
    """Return the top-level module of every parameter name; "" for parameters that the model itself holds.

    Wrappers with a single child are looked through, so that a model inside a LightningModule has its own blocks.
    """
    prefix, module = "", model
    while len(children := list(module.named_children())) == 1 and not list(module.parameters(recurse=False)):
        name, module = children[0]
        prefix += f"{name}."
    return {
        name: prefix + name.removeprefix(prefix).split(".")[0]
        if "." in name.removeprefix(prefix)
        else prefix.rstrip(".")
        for name, _ in model.named_parameters()
    }


def parameters_of_objectives(setup: Setup, losses: Losses, *, key: str = "measure.parameters") -> dict[str, Parameters]:
    """Return the parameters of every objective: those of its pattern, else all, else those that it owns.

    `key` is the key of the config that the patterns come from, for the messages.

    Raises LossDoctorError for a pattern that matches nothing or names no objective, and where several objectives
    without patterns cannot be told apart.
    """
    everything, objectives = trainable(setup.model), list(losses.objectives)
    patterns = setup.parameters
    if isinstance(patterns, str) and (len(objectives) == 1 or patterns != "*"):
        patterns = dict.fromkeys(objectives, patterns)
    if isinstance(patterns, str):
        patterns = {}
    if unknown := sorted(set(patterns) - set(objectives)):
        message = f"{key}: there is no objective {unknown[0]!r}"
        raise LossDoctorError(message, f"The loss has {', '.join(objectives)}.")
    owned = {} if len(patterns) == len(objectives) else _owned(setup.model, losses, key)
    chosen = {
        name: _matching(everything, patterns[name], key) if name in patterns else _inside(setup.model, owned[name])
        for name in objectives
    }
    alone = len(objectives) == 1
    return {
        name: Parameters(measured, frozenset(map(id, (everything if alone else measured).values())))
        for name, measured in chosen.items()
    }


def _matching(parameters: Mapping[str, nn.Parameter], pattern: str, key: str) -> dict[str, nn.Parameter]:
    chosen = {name: parameter for name, parameter in parameters.items() if fnmatchcase(name, pattern)}
    if not chosen and parameters:
        message = f"{key}: {pattern!r} matches no trainable parameter"
        raise LossDoctorError(message, f"Parameters are called like {', '.join(list(parameters)[:3])}.")
    return chosen


def _inside(model: nn.Module, modules: set[str]) -> dict[str, nn.Parameter]:
    owner = top_level_modules(model)
    return {name: parameter for name, parameter in trainable(model).items() if owner[name] in modules}


def _owned(model: nn.Module, losses: Losses, key: str) -> dict[str, set[str]]:
    """Return the top-level modules that every objective owns.

    A generator's terms reach the discriminator too, on their way to the generator; the discriminator's own objective
    reaches nothing else. So an objective owns what it reaches, less all that another objective reaches whose reach lies
    strictly inside its own.
    """
    owner = top_level_modules(model)
    modules = {id(parameter): owner[name] for name, parameter in trainable(model).items()}
    reached = {
        name: {modules[leaf] for scalar in components.values() for leaf in leaves(scalar) if leaf in modules}
        for name, components in losses.objectives.items()
    }
    owned = {
        name: reach.difference(*(other for other in reached.values() if other < reach))
        for name, reach in reached.items()
    }
    for name, modules_owned in owned.items():
        rivals = [other for other in owned if other != name and owned[other] & modules_owned]
        if rivals:
            both = ", ".join(sorted(owned[rivals[0]] & modules_owned))
            message = f"objectives {name!r} and {rivals[0]!r} both reach {both}: whose parameters are they?"
            raise LossDoctorError(
                message,
                f"Say it with patterns of parameter names: {key}: {{{name}: '…', {rivals[0]}: '…'}} "
                "(or detach the other objective's tensors, if that was the intent).",
            )
    return owned
