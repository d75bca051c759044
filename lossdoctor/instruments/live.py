"""Measuring scalars that somebody's own training loop has just computed."""

from __future__ import annotations

import contextlib
import gc
import math
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from ..config.suggest import did_you_mean
from ..errors import LossDoctorError
from ..facts.examination import Examination
from ..setup.build import Setup
from ..setup.device import gradients_enabled
from ..setup.loss import Losses, as_objectives
from ..setup.preserve import preserved
from .gradients import GradientObserver
from .parameters import ParameterObserver


def live_examination(
    components: Mapping[str, Any], model: nn.Module, weights: Mapping[str, Any], roles: Mapping[str, str]
) -> Examination:
    """Measure the gradients of live scalars with respect to a model's parameters, and leave their graph in place.

    It does not matter whether the caller has switched gradients off by now, only whether the scalars have a graph.
    """
    if not isinstance(model, nn.Module):
        message = f"measure: model is a {type(model).__name__}, expected an nn.Module"
        raise LossDoctorError(message, "Give the model whose parameters the optimizer changes.")
    switched_off = not torch.is_grad_enabled()
    with gradients_enabled():
        losses = Losses(as_objectives(components, "measure"))
        if switched_off:
            _refuse_without_graph(losses)
        setup = Setup(
            model=model,
            batches=[],
            loss=lambda _model, _batch: losses,
            weights={name: _number(name, weight) for name, weight in weights.items()},
            roles=roles,
        )
        _refuse_mistyped(setup, losses)
        parameters, gradients = ParameterObserver(model), GradientObserver(setup, keep_graph=True)
        # A checkpointed forward runs again during a backward, batch norm and all.
        with preserved(model), _retained_gradients_kept():
            parameters.observe(losses)
            gradients.observe(losses)
    return Examination(
        gradients=gradients.facts(),
        parameters=parameters.facts(),
        skipped=dict.fromkeys(
            ("operations", "outputs", "checkpoint", "data", "anomalies", "dead_ends"),
            "live scalars show gradients only",
        ),
    )


@contextlib.contextmanager
def _retained_gradients_kept() -> Iterator[None]:
    """Give tensors inside the graph that retain their gradient the one back that they had: they collect any backward's.

    A graph does not lead to its tensors, but the garbage collector knows them.
    """
    results = (given for given in gc.get_objects() if type(given) is Tensor and not given.is_leaf)
    retained = [(tensor, tensor.grad) for tensor in results if tensor.retains_grad]
    try:
        yield
    finally:
        for tensor, gradient in retained:
            tensor.grad = gradient


def _number(name: str, weight: Any) -> float:
    """Return a weight as a plain number; a scalar tensor is one, too."""
    try:
        number = float(weight)
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number):
        message = f"measure: the weight of {name!r} is {weight!r}, expected a finite number"
        raise LossDoctorError(message, "Give every weight as a number, such as 0.5.")
    return number


def _refuse_mistyped(setup: Setup, losses: Losses) -> None:
    """Raise LossDoctorError for a weight that is none of the components', but almost that of one which has none.

    Other weights without a component are nothing wrong: components come and go between the steps of a loop.
    """
    named = {name for group in losses.objectives.values() for name in group}
    unweighted = {
        name
        for objective, group in losses.objectives.items()
        for name in group
        if setup.weight(objective, name) is None
    }
    for name in setup.weights:
        if name.rpartition(".")[2] not in named and (advice := did_you_mean(name, unweighted)):
            message = f"measure: there is a weight for {name!r}, but no such component"
            raise LossDoctorError(message, advice)


def _refuse_without_graph(losses: Losses) -> None:
    """Raise LossDoctorError where nothing has a gradient, because it was switched off for the whole step."""
    if not any(scalar.requires_grad for group in losses.objectives.values() for scalar in group.values()):
        message = "measure: no component has a gradient, because torch.no_grad() or inference_mode() is switched on"
        raise LossDoctorError(message, "Compute and measure the components outside of it, as in a training step.")
