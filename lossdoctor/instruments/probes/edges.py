"""Whether the loss stays finite where data or prediction are at an edge: black, silent, empty, equal, perfect.

Costs a forward with all rare samples in one batch and a backward to the output, the same for a perfect prediction, and
one forward each for the few whole batches that the data makes likely; more only where something is not finite.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from ...errors import LossDoctorError
from ...facts.probes import Edge
from ...setup.batches import Batch, changed, named_parts, target_of, to
from ...setup.build import Setup
from ..anomalies import trace_anomaly
from ..tensors import tensors_in
from .edge_batches import SampleEdge, batch_edges, copied, sample_edges
from .finite import Broken, broken
from .made_batches import size_of
from .replay import NotApplicableError, Replay, answering


@dataclass(frozen=True)
class Situation:
    """A batch, and perhaps an answer of the model in place of its own, in which the loss is tried."""

    name: str
    setup: Setup  #: its first batch is the one
    output: Any = None

    def answers(self) -> AbstractContextManager[Any]:
        """Make the model answer what the situation says."""
        return contextlib.nullcontext() if self.output is None else answering(self.setup.model, self.output)

    def broken(self) -> Broken:
        """Return the components that are not finite here. Raises LossDoctorError where the user's code refuses."""
        with self.answers():
            losses = self.setup.evaluate(0)
        return broken(losses if self.output is None else replace(losses, output=self.output))


def probe_edges(replay: Replay) -> tuple[Edge, ...]:
    """Return what becomes of the loss in every situation that can occur in data like this.

    Raises NotApplicableError where there is none.
    """
    edges = [*_of_samples(replay), *(_tried(situation) for situation in _situations(replay))]
    if not edges:
        message = "needs images, signals, masks, or a target of the same shape as the output"
        raise NotApplicableError(message)
    return tuple(edges)


def _of_samples(replay: Replay) -> list[Edge]:
    """Try all rare samples side by side, and only where something is not finite one by one."""
    edges = list(sample_edges(replay.setup.batches))
    if sum(edge.samples for edge in edges) < size_of(replay.batch):
        together = _tried(Situation("all of them", _on(replay, _with(replay.batch, edges))))
        if not together.anomalies and together.refused is None:
            return [Edge(edge.name) for edge in edges]
    return [_tried(Situation(edge.name, _on(replay, _with(replay.batch, [edge])))) for edge in edges]


def _with(batch: Batch, edges: Sequence[SampleEdge]) -> Batch:
    made, sample = copied(batch), 0
    for edge in edges:
        edge.apply(made, sample)
        sample += edge.samples
    return made


def _on(replay: Replay, batch: Batch) -> Setup:
    """Return the setup with a made batch for its first, from the same random state."""
    return replace(replay.setup, batches=[batch], seed=replay.setup.seed + replay.index)


def _situations(replay: Replay) -> Iterator[Situation]:
    for name, batch in batch_edges(replay.setup.batches):
        yield Situation(name, _on(replay, batch))
    if (output := perfect_output(replay)) is not None:
        yield Situation("a prediction that equals its target", _on(replay, replay.batch), output)


def perfect_output(replay: Replay) -> Any:
    """Return the model's output with the target in place of every tensor that has one, but in one sample; None without.

    In nested outputs and targets a tensor goes with the one of the same name, or else with the first of its shape.
    """
    outputs = {
        name: tensor for name, tensor in tensors_in(replay.original.output, "").items() if tensor.is_floating_point()
    }
    targets = tensors_in(to(_targets(replay.batch), replay.setup.device), "")
    chosen: dict[int, Tensor] = {}
    for name, tensor in outputs.items():
        fitting = [other for other, target in targets.items() if _fits(target, tensor)]
        if fitting:
            best = name if name in fitting else fitting[0]
            chosen[id(tensor)] = _perfect(targets[best].detach().to(tensor.dtype), tensor).requires_grad_()
    if not chosen:
        return None
    return changed(replay.original.output, lambda tensor: chosen.get(id(tensor), _leaf(tensor)))


def _perfect(target: Tensor, output: Tensor) -> Tensor:
    """Return the output with the target in all samples but one, where the model can put that out.

    Some may come out right, such as a pixel at rest or a silent clip, but never a whole batch: the root of a mean over
    everything is safe. What is positive throughout, such as exp(x), is never 0.
    """
    right = torch.where(target > 0, target, output) if bool((output > 0).all()) else target
    return torch.cat([right[:-1], output[-1:]]) if len(output) > 1 else right.clone()


def _leaf(tensor: Tensor) -> Tensor:
    return tensor.clone().requires_grad_() if tensor.is_floating_point() else tensor


def _targets(batch: Batch) -> Any:
    """Return what may be the target: the batch's own, or of a mapping without any all that is no input."""
    if (target := target_of(batch)) is not None:
        return target
    named = named_parts(batch)
    return None if named is None else {key: value for key, value in named.items() if key != "input"}


def _fits(target: Tensor, output: Tensor) -> bool:
    return target.is_floating_point() and target.shape == output.shape and target.dim() > 0


def _tried(situation: Situation) -> Edge:
    try:
        found = situation.broken()
        anomalies = []
        for (objective, component), where in found.items():
            with situation.answers():
                anomalies.append(trace_anomaly(situation.setup, objective, component, where, 0))
    except LossDoctorError as error:
        return Edge(situation.name, refused=error.message)
    return Edge(situation.name, tuple(anomalies))
