"""The same run with the model's input zeroed: what of the loss falls without looking at the input."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from ..instruments.tensors import tensors_in
from ..setup.build import Setup
from ..setup.preserve import preserved
from ..trial_records import InputEffect

#: What the input is called where a model is called with keywords; what else there is may be labels or masks.
INPUT_NAMES = ("input", "inputs", "x", "input_ids", "inputs_embeds", "pixel_values", "images", "image", "features")


class InputSwitch:
    """Zeroes what a model is called with, and remembers whether it was called at all."""

    def __init__(self, model: nn.Module) -> None:
        self._model = model
        self.calls = 0

    @contextlib.contextmanager
    def off(self) -> Iterator[InputSwitch]:
        """Zero the first argument of every call of the model."""
        hook = self._model.register_forward_pre_hook(self._zero, with_kwargs=True)
        try:
            yield self
        finally:
            hook.remove()

    def _zero(self, _module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if args:
            self.calls += 1
            return (zeroed(args[0]), *args[1:]), kwargs
        name = next((name for name in INPUT_NAMES if name in kwargs), None)
        if name is None:
            return None
        self.calls += 1
        return args, {**kwargs, name: zeroed(kwargs[name])}


def zeroed(value: Any) -> Any:
    """Return a value with zeros in every tensor; what was differentiated by still can be."""
    if isinstance(value, Tensor):
        return torch.zeros_like(value) if value.dtype == torch.bool else torch.nan_to_num(value) * 0
    if isinstance(value, Mapping):
        return {key: zeroed(part) for key, part in value.items()}
    if isinstance(value, (tuple, list)) and not hasattr(value, "_fields"):
        return type(value)(zeroed(part) for part in value)
    return value


def measure_input_effect(setup: Setup, index: int) -> InputEffect | None:
    """Return how much of the output changes when the input is zeroed; None where the model's output is not known."""
    switch = InputSwitch(setup.model)
    with preserved(setup.model), torch.enable_grad():
        seen = tensors_in(setup.evaluate(index).output)
        with switch.off():
            blind = tensors_in(setup.evaluate(index).output)
    changes = {
        name: _change(tensor, blind[name])
        for name, tensor in seen.items()
        if name in blind and tensor.shape == blind[name].shape and tensor.is_floating_point() and tensor.dim()
    }
    if not switch.calls or not changes:
        return None
    name = max(changes, key=lambda name: changes[name])
    return InputEffect(changes[name], name)


def _change(seen: Tensor, blind: Tensor) -> float:
    seen, blind = seen.detach().float(), blind.detach().float()
    return float((seen - blind).norm() / seen.norm().clamp(min=torch.finfo(seen.dtype).tiny))
