"""The composite loss as one function, whichever of the three ways the config says it: (model, batch) -> Losses."""

from __future__ import annotations

import contextlib
import inspect
import numbers
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn

from ..config.schema import Config
from ..errors import UserCodeError
from ..losses.build import build_component
from .batches import Batch, call_model, target_of
from .user_code import blaming, import_target

Objectives = dict[str, dict[str, Tensor]]


@dataclass(frozen=True)
class Losses:
    """The unweighted scalar components of every objective, and the model's output where it is known."""

    objectives: Objectives
    output: Any = None


Loss = Callable[[nn.Module, Batch], Losses]


def as_vector(components: Mapping[str, Tensor]) -> Tensor:
    """Return all scalars as one vector of at least float32, on the device of one that has a gradient."""
    scalars = list(components.values())
    device = next((scalar.device for scalar in scalars if scalar.requires_grad), scalars[0].device)
    return torch.stack(
        [
            scalar.to(device, torch.promote_types(scalar.dtype, torch.float32), non_blocking=device.type == "cuda")
            for scalar in scalars
        ]
    )


@dataclass(frozen=True)
class Total:
    """The scalar that is really backpropagated: (model, batch) or (model, batch, weights) -> scalar.

    A training step with several objectives returns a mapping of their scalars.
    """

    function: Callable[..., Any]

    @cached_property
    def takes_weights(self) -> bool:
        """Whether it is told the weights, or has weights of its own."""
        try:
            parameters = inspect.signature(self.function).parameters.values()
        except (TypeError, ValueError):  # implemented in C: no signature to read
            return False
        positional = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
        return len(positional) > 2 and (
            positional[2].name == "weights" or positional[2].default is inspect.Parameter.empty
        )

    def __call__(self, model: nn.Module, batch: Batch, weights: Mapping[str, Any]) -> dict[str, Tensor]:
        """Return the scalar of every objective; a single one is called `total`."""
        with blaming("calling loss.total"):
            result = self.function(model, batch, weights) if self.takes_weights else self.function(model, batch)
        totals = result if isinstance(result, Mapping) else {"total": result}
        return {
            _name(objective, "loss.total"): _scalar(objective, value, "loss.total")
            for objective, value in totals.items()
        }


def build_loss(config: Config, device: torch.device) -> Loss:
    """Return the loss of a config. Raises UserCodeError where a target cannot be imported."""
    loss = config.loss
    if loss.components is not None:
        return _components_loss(config, device)
    if loss.function is not None:
        return _function_loss(import_target(loss.function, "loss.function"))
    return _step_loss(import_target(loss.step or "", "loss.step"))


def build_total(config: Config) -> Total | None:
    """Return what the config says is backpropagated, None where it does not say.

    Raises UserCodeError where the target cannot be imported.
    """
    if config.loss.total is None:
        return None
    return Total(import_target(config.loss.total, "loss.total"))


def _components_loss(config: Config, device: torch.device) -> Loss:
    components = {
        name: build_component(name, component, config.folder, device)
        for name, component in (config.loss.components or {}).items()
    }

    def loss(model: nn.Module, batch: Batch) -> Losses:
        with blaming("calling the model"):
            output = call_model(model, batch)
        prediction, target = _images(output, target_of(batch))
        return Losses(
            {"total": {name: component(prediction, target) for name, component in components.items()}}, output
        )

    return loss


def _images(output: Any, target: Any) -> tuple[Tensor, Tensor]:
    """Return output and target where built-in components can compare them."""
    for what, value in (("the model's output", output), ("the batch's target", target)):
        if not isinstance(value, Tensor):
            found = "missing" if value is None else f"a {type(value).__name__}"
            message = f"loss.components compares images, but {what} is {found}"
            raise UserCodeError(
                message,
                "Yield (input, target) batches of N×C×H×W tensors and a model that returns one, "
                "or compute the loss yourself with loss.function or loss.step.",
            )
    return output, target


def _function_loss(function: Callable[..., Any]) -> Loss:
    def loss(model: nn.Module, batch: Batch) -> Losses:
        with blaming("calling the model"):
            output = call_model(model, batch)
        with blaming("calling loss.function"):
            components = function(output, batch)
        return Losses(as_objectives(components, "loss.function"), output)

    return loss


def _step_loss(step: Callable[..., Any]) -> Loss:
    def loss(model: nn.Module, batch: Batch) -> Losses:
        outputs: list[Any] = []
        with _watched(model, outputs), blaming("calling loss.step"):
            result = step(model, batch)
        if isinstance(result, tuple) and len(result) == 2 and isinstance(result[0], Mapping):
            return Losses(as_objectives(result[0], "loss.step"), result[1])
        # A step that calls the model exactly once has told what the output is, without returning it.
        return Losses(as_objectives(result, "loss.step"), outputs[0] if len(outputs) == 1 else None)

    return loss


@contextlib.contextmanager
def _watched(model: nn.Module, outputs: list[Any]) -> Iterator[None]:
    """Collect what the model returns whenever it is called."""
    if isinstance(model, torch.jit.ScriptModule):  # takes no hooks
        yield
        return
    hook = model.register_forward_hook(lambda _module, _args, output: outputs.append(output))
    try:
        yield
    finally:
        hook.remove()


def as_objectives(components: Any, source: str) -> Objectives:
    """Return `{objective: {component: scalar}}` out of a flat or nested mapping.

    Raises UserCodeError when it is neither, is empty, or holds something that is no scalar.
    """
    if not isinstance(components, Mapping) or not components:
        found = "an empty mapping" if isinstance(components, Mapping) else f"a {type(components).__name__}"
        message = f"{source} returned {found}, expected a mapping of component names to scalar tensors"
        raise UserCodeError(message, 'Return something like {"reconstruction": mse, "kl": kl}, unweighted.')
    nested = [isinstance(value, Mapping) for value in components.values()]
    if any(nested) and not all(nested):
        message = f"{source} mixes scalars and mappings"
        raise UserCodeError(
            message, "Return {component: scalar}, or {objective: {component: scalar}} for several totals."
        )
    objectives = components if all(nested) else {"total": components}
    if empty := [objective for objective, group in objectives.items() if not group]:
        message = f"{source}: objective {empty[0]!r} has no component"
        raise UserCodeError(message, "Leave out an objective without components, or return its scalars.")
    return {
        _name(objective, source): {_name(name, source): _scalar(name, value, source) for name, value in group.items()}
        for objective, group in objectives.items()
    }


def _name(name: Any, source: str) -> str:
    if not isinstance(name, str) or not name:
        message = f"{source} returned a component named {name!r}, expected a non-empty string"
        raise UserCodeError(message, "Name every component with a string.")
    return name


def _scalar(name: str, value: Any, source: str) -> Tensor:
    """Return a component as a 0-d tensor. A plain number becomes a tensor without gradient, which is what it is."""
    if isinstance(value, Tensor) and value.numel() == 1 and not value.is_complex():
        scalar = value.reshape(())
        return scalar if scalar.is_floating_point() else scalar.float()
    if isinstance(value, numbers.Real) and not isinstance(value, bool):
        return torch.tensor(float(value))
    if isinstance(value, Tensor):
        found = f"a tensor of shape {tuple(value.shape)} and type {value.dtype}"
        advice = "Reduce it to one number, with .mean() or .sum()."
    else:
        found, advice = (
            f"a {type(value).__name__}",
            "Return one number for every component, as a scalar tensor.",
        )
    message = f"{source}: component {name!r} is {found}, expected a real scalar"
    raise UserCodeError(message, advice)
