"""Measuring scalars that somebody's own training loop has just computed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import nn

from ..records import Examination
from ..setup.build import Setup
from ..setup.loss import Losses, as_objectives
from .gradients import as_facts, measure_batch
from .ownership import parameters_of_objectives
from .parameters import ParameterObserver


def live_examination(
    components: Mapping[str, Any], model: nn.Module, weights: Mapping[str, float], roles: Mapping[str, str]
) -> Examination:
    """Measure the gradients of live scalars with respect to a model's parameters, and leave their graph in place."""
    losses = Losses(as_objectives(components, "measure"))
    setup = Setup(model=model, batches=[], loss=lambda _model, _batch: losses, weights=weights, roles=roles)
    parameters = parameters_of_objectives(setup, losses)
    observer = ParameterObserver(model)
    observer.observe(losses)
    measured = measure_batch(setup, losses, parameters, check_additivity=True, keep_graph=True)
    return Examination(
        gradients=tuple(as_facts(setup, name, parameters[name], [batch]) for name, batch in measured),
        parameters=observer.facts(),
        skipped=dict.fromkeys(
            ("operations", "outputs", "checkpoint", "data", "anomalies"), "live scalars show gradients only"
        ),
    )
