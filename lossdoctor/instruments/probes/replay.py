"""The loss of one batch, run again with one thing changed and everything else as it was."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Concatenate, ParamSpec, TypeVar

import torch
from torch import Tensor, nn

from ...errors import LossDoctorError
from ...setup.batches import Batch, changed, target_of, to
from ...setup.build import Setup
from ...setup.loss import Losses
from ..tensors import tensors_in

#: Unweighted values by (objective, component).
Values = Mapping[tuple[str, str], float]

T = TypeVar("T")
Given = ParamSpec("Given")

#: Something that looks on while the loss of a model runs, changes nothing, and holds what it has seen.
Watch = Callable[[nn.Module], AbstractContextManager[T]]


class NotApplicableError(LossDoctorError):
    """A setup does not offer what a probe needs; the message says what that is."""


@dataclass(frozen=True)
class Replay:
    """The loss of one batch of a setup, and ways to run it again from the same random state.

    Every way costs one forward. User code may refuse what a probe has made up: then a LossDoctorError goes through, and
    the probe is skipped with its message. What several probes ask for is run once: the original, at which all `watches`
    look on, and whatever goes through `once`.
    """

    setup: Setup
    index: int = 0
    watches: tuple[Watch[Any], ...] = ()

    @property
    def batch(self) -> Batch:
        """The batch as the data gave it, on the host."""
        return self.setup.batches[self.index]

    @cached_property
    def original(self) -> Losses:
        """What the loss gives as it is. Scalars and outputs are detached."""
        return _detached(self.with_graph)

    @property
    def with_graph(self) -> Losses:
        """What the loss gives as it is, with its graph, which nobody may free: it is for all probes."""
        losses, _ = self._watched
        return losses

    @cached_property
    def _watched(self) -> tuple[Losses, Mapping[Watch[Any], Any]]:
        """Run the loss as it is, with all watches; without any, where they are in its way."""
        try:
            with contextlib.ExitStack() as watching:
                seen = {watch: watching.enter_context(watch(self.setup.model)) for watch in self.watches}
                return self.setup.evaluate(self.index), seen
        except LossDoctorError:
            return self.setup.evaluate(self.index), {}

    def seen_by(self, watch: Watch[T]) -> T:
        """Return what a watch has seen of the original; it costs a forward of its own where it was not there."""
        _, seen = self._watched
        if watch in seen:
            known: T = seen[watch]
            return known
        with watch(self.setup.model) as alone:
            self.again()
        return alone

    def once(self, find: Callable[Concatenate[Replay, Given], T], *args: Given.args, **kwargs: Given.kwargs) -> T:
        """Return what a function finds out about this batch: worked out once, however many probes ask."""
        key = (find, *args, *kwargs.items())
        if key not in self._found:
            self._found[key] = find(self, *args, **kwargs)
        found: T = self._found[key]
        return found

    @cached_property
    def _found(self) -> dict[tuple[object, ...], Any]:
        return {}

    @cached_property
    def values(self) -> Values:
        """The values as they are."""
        return values_of(self.original)

    @property
    def output(self) -> Tensor:
        """The model's output, detached. Raises NotApplicableError where it is unknown or no single tensor of floats."""
        output = self.original.output
        if not isinstance(output, Tensor) or not output.is_floating_point() or not output.numel():
            found = "unknown" if output is None else f"a {type(output).__name__}"
            message = f"needs the model's output as one tensor of floats; it is {found}"
            raise NotApplicableError(message, "With loss.step, call the model once, or return (mapping, output).")
        return output

    @cached_property
    def outputs(self) -> Mapping[str, Tensor]:
        """Every tensor of floats in the model's output, detached, by its path. A scalar is a loss, not an output."""
        found = tensors_in(self.original.output)
        return {name: tensor for name, tensor in found.items() if tensor.is_floating_point() and tensor.dim()}

    @property
    def target(self) -> Tensor:
        """The batch's target, on the device. Raises NotApplicableError where the batch has none that is a tensor."""
        target = target_of(self.batch)
        if not isinstance(target, Tensor):
            message = "needs a target in the batch"
            raise NotApplicableError(message, 'Yield (input, target) tuples or mappings with the key "target".')
        moved: Tensor = to(target, self.setup.device)
        return moved

    def again(self) -> Values:
        """Return the values of the same batch once more."""
        return values_of(self.setup.evaluate(self.index))

    def on_batch(self, batch: Batch) -> Values:
        """Return the values on a made batch."""
        return values_of(self.losses_on(batch))

    def losses_on(self, batch: Batch) -> Losses:
        """Return what the loss gives, with its graph, on a made batch."""
        return self.setup.evaluate_on(batch, self.index)

    def on_output(self, output: Any, batch: Batch | None = None) -> Losses:
        """Return what the loss gives, with its graph, where the model answers `output`, on this batch or a made one.

        The model runs all the same, so that random numbers drawn after it are those of the original. Raises
        NotApplicableError where it is called more than once, so that its answers are not one output.
        """
        with answering(self.setup.model, output) as calls:
            losses = self.setup.evaluate_on(self.batch if batch is None else batch, self.index)
        _called_once(calls)
        return losses

    def on_tensor(self, name: str, tensor: Tensor, batch: Batch | None = None) -> Losses:
        """Return what the loss gives where one tensor of the model's output is another; see `on_output`."""
        old = self.outputs[name]
        return self.on_output(changed(self.original.output, lambda part: tensor if part is old else part), batch)

    def without_model(self, output: Any, batch: Batch) -> Losses:
        """Return what the loss makes, with its graph, of an answer to a batch that the model itself might refuse.

        Costs no forward of the model, so that random numbers drawn after it are others than those of the original.
        Raises NotApplicableError where the model is not called once.
        """
        with standing_in(self.setup.model, output) as calls:
            losses = self.setup.evaluate_on(batch, self.index)
        _called_once(calls)
        return losses

    def with_other_noise(self) -> Replay:
        """Return the same batch with other random numbers."""
        return Replay(replace(self.setup, seed=self.setup.seed + 1_000_003), self.index)

    def in_precision(self, name: str) -> Replay:
        """Return the same batch in another precision."""
        return Replay(replace(self.setup, precision=name), self.index)


@contextlib.contextmanager
def answering(model: nn.Module, output: Any) -> Iterator[list[Any]]:
    """Make a model return `output` whenever it is called; yields the list of what it would have returned."""
    if isinstance(model, torch.jit.ScriptModule):
        message = "needs a model that takes hooks; a scripted one takes none"
        raise NotApplicableError(message)
    answers: list[Any] = []

    def answer(_module: nn.Module, _args: Any, original: Any) -> Any:
        answers.append(original)
        return output

    hook = model.register_forward_hook(answer)
    try:
        yield answers
    finally:
        hook.remove()


@contextlib.contextmanager
def standing_in(model: nn.Module, output: Any) -> Iterator[list[None]]:
    """Call a function that returns `output` in place of the model's forward; yields a list with an entry per call."""
    if isinstance(model, torch.jit.ScriptModule):
        message = "needs a model whose forward can be replaced; a scripted one is compiled"
        raise NotApplicableError(message)
    calls: list[None] = []

    def answer(*_args: Any, **_kwargs: Any) -> Any:
        calls.append(None)
        return output

    own = model.__dict__.get("forward")  # what a user has put in place of the forward of the class
    model.__dict__["forward"] = answer
    try:
        yield calls
    finally:
        del model.__dict__["forward"]
        if own is not None:
            model.__dict__["forward"] = own


def _called_once(calls: Sequence[Any]) -> None:
    if len(calls) != 1:
        message = f"needs a model that is called once; the loss calls it {len(calls)} times"
        raise NotApplicableError(message)


def by_component(losses: Losses) -> dict[tuple[str, str], Tensor]:
    """Return the scalars of all components."""
    return {
        (objective, name): scalar for objective, group in losses.objectives.items() for name, scalar in group.items()
    }


def values_of(losses: Losses) -> Values:
    """Return the values of all components, with one wait for the device."""
    scalars = {
        key: scalar.detach().to(torch.promote_types(scalar.dtype, torch.float32))
        for key, scalar in by_component(losses).items()
    }
    device = next((scalar.device for scalar in scalars.values() if scalar.device.type != "cpu"), torch.device("cpu"))
    values = torch.stack([scalar.to(device) for scalar in scalars.values()]).tolist()
    return dict(zip(scalars, values, strict=True))


def _detached(losses: Losses) -> Losses:
    objectives = {
        objective: {name: scalar.detach() for name, scalar in group.items()}
        for objective, group in losses.objectives.items()
    }
    return Losses(objectives, changed(losses.output, Tensor.detach))
