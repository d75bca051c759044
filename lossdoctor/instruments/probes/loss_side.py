"""Dropout and batch norm in train mode on the loss side: in a loss network, a teacher, a criterion, not in the model.

The loss is run twice on the same batch and from the same random state, but for the layers on the loss side: their
dropout draws other numbers, their batch norm uses the statistics of training in place of the batch's. What changes,
changes because of them. Costs two forwards where there are such layers; whether there are is seen in the original.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.modules import module as global_hooks
from torch.overrides import TorchFunctionMode
from torch.utils.hooks import RemovableHandle

from ...facts.probes import TrainModeLayer, Wavering
from ...setup.device import random_state_kept, seed_everything
from ...setup.user_code import calling_line
from .replay import Replay, Values

_DROPOUTS: frozenset[Callable[..., Any]] = frozenset(
    {F.dropout, F.dropout1d, F.dropout2d, F.dropout3d, F.alpha_dropout, F.feature_alpha_dropout}
)
_ATTENTION: frozenset[Callable[..., Any]] = frozenset({F.multi_head_attention_forward, F.scaled_dot_product_attention})

#: Relative difference of two values from which they are not the same but for rounding in float32.
ROUNDING = 1e-5


class LossSide(TorchFunctionMode):
    """Finds the layers in train mode on the loss side, and may run them with random numbers of their own.

    `seed` is that of their dropout, None for what the loss draws itself; `frozen_statistics` makes their batch norm use
    the statistics of training. No module is touched: their running statistics are copies while this is active.
    """

    def __init__(self, model: nn.Module, seed: int | None = None, *, frozen_statistics: bool = False) -> None:
        super().__init__()
        self.layers: dict[TrainModeLayer, None] = {}
        self._model = {
            id(module)
            for module in model.modules()
            if isinstance(module, torch.jit.ScriptModule) or any(p.requires_grad for p in module.parameters())
        }
        self._trained_shapes = {_shapes(module) for module in model.modules() if id(module) in self._model}
        self._seed, self._frozen_statistics = seed, frozen_statistics
        self._calls: list[nn.Module] = []
        self._hooks: list[RemovableHandle] = []

    def __enter__(self) -> LossSide:
        self._hooks = [
            global_hooks.register_module_forward_pre_hook(self._enter_module),
            global_hooks.register_module_forward_hook(self._leave_module, always_call=True),
        ]
        super().__enter__()  # type: ignore[no-untyped-call]
        return self

    def __exit__(self, *exception: Any) -> None:
        super().__exit__(*exception)  # type: ignore[no-untyped-call]
        for hook in self._hooks:
            hook.remove()

    def _enter_module(self, module: nn.Module, _args: Any) -> None:
        self._calls.append(module)

    def _leave_module(self, _module: nn.Module, _args: Any, _output: Any) -> None:
        self._calls.pop()

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        kwargs = dict(kwargs or {})
        if any(id(module) in self._model for module in self._calls):
            return func(*args, **kwargs)
        if func in _DROPOUTS or func in _ATTENTION:
            return self._drop(func, args, kwargs)
        if func is F.batch_norm:
            return self._normalise(args, kwargs)
        return func(*args, **kwargs)

    def _drop(self, func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if not _drops(func, args, kwargs) or not self._is_loss(args[0]) or self._is_average():
            return func(*args, **kwargs)
        self._note("dropout")
        if self._seed is None:
            return func(*args, **kwargs)
        with random_state_kept():
            seed_everything(self._seed)
            return func(*args, **kwargs)

    def _normalise(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Tensor:
        call = inspect.signature(F.batch_norm).bind(*args, **kwargs)
        call.apply_defaults()
        arguments = call.arguments
        # Without running statistics there are only those of the batch.
        if arguments["training"] and arguments["running_mean"] is not None and not self._is_trained_alike():
            self._note("batch norm")
            arguments["training"] = not self._frozen_statistics
            for name in ("running_mean", "running_var"):
                arguments[name] = arguments[name].clone()
        normalised: Tensor = F.batch_norm(**arguments)
        return normalised

    def _is_trained_alike(self) -> bool:
        """Whether the network is meant to use the batch's statistics: it is trained, or the average of one that is."""
        trained = any(p.requires_grad for module in self._calls[:1] for p in module.parameters())
        return trained or self._is_average()

    def _is_average(self) -> bool:
        """Whether the network is a moving average of one that is trained, as in BYOL and Mean Teacher.

        Its noise is part of the method.
        """
        return any(_shapes(module) in self._trained_shapes for module in self._calls[:1])

    def _is_loss(self, tensor: Tensor) -> bool:
        """Whether it is the loss that drops: a prediction, or something in a network; not noise on the input."""
        return tensor.requires_grad or any(True for module in self._calls[:1] for _ in module.parameters())

    def _note(self, kind: str) -> None:
        network = type(self._calls[0]).__name__ if self._calls else None
        self.layers[TrainModeLayer(kind, network, calling_line())] = None


def _shapes(module: nn.Module) -> tuple[torch.Size, ...]:
    return tuple(parameter.shape for parameter in module.parameters())


def _drops(func: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> bool:
    call = inspect.signature(func).bind(*args, **kwargs) if func is not F.scaled_dot_product_attention else None
    if call is None:
        return bool(args[4] if len(args) > 4 else kwargs.get("dropout_p", 0.0))
    call.apply_defaults()
    probability = call.arguments.get("p", call.arguments.get("dropout_p", 0.0))
    return bool(call.arguments["training"]) and probability > 0


def watch_loss_side(model: nn.Module) -> LossSide:
    """Watch for layers in train mode on the loss side."""
    return LossSide(model)


def probe_loss_side(replay: Replay) -> tuple[Wavering, ...]:
    """Return the components whose value depends on a layer in train mode on the loss side."""
    layers = tuple(replay.seen_by(watch_loss_side).layers)
    if not layers:
        return ()
    first = _run(replay, seed=0, frozen_statistics=False)
    second = _run(replay, seed=1, frozen_statistics=True)
    return tuple(
        Wavering(objective, name, (value, second[objective, name]), layers)
        for (objective, name), value in first.items()
        if (objective, name) in second
        and not math.isclose(value, second[objective, name], rel_tol=ROUNDING, abs_tol=1e-12)
    )


def _run(replay: Replay, *, seed: int, frozen_statistics: bool) -> Values:
    with LossSide(replay.setup.model, seed, frozen_statistics=frozen_statistics):
        return replay.again()
