"""Leaving no trace: whatever happens to a model while it is examined is undone."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from .device import random_state_kept


@contextlib.contextmanager
def preserved(model: nn.Module) -> Iterator[None]:
    """Put parameters, buffers, `.grad`, `requires_grad`, modes, attributes and random generators back as they were.

    What a list or dictionary among the attributes holds is not looked into. Costs a copy of the parameters and buffers,
    less than an optimizer keeps.
    """
    modules = [module for module in model.modules() if not any(map(is_lazy, module.parameters(recurse=False)))]
    # Modes are attributes, except in scripted modules.
    modes = [(module, module.training) for module in model.modules()]
    attributes = [
        (mapping, dict(mapping))
        for module in modules
        for mapping in (vars(module), module._buffers)
        if isinstance(mapping, dict)
    ]
    parameters = [parameter for parameter in model.parameters() if not is_lazy(parameter)]
    gradients = [(parameter, parameter.grad, parameter.requires_grad) for parameter in parameters]
    copies = [(tensor, tensor.detach().clone()) for tensor in _tensors_of(model, modules)]
    try:
        with random_state_kept():
            yield
    finally:
        for mapping, copy in attributes:
            mapping.clear()
            mapping.update(copy)
        for module, training in modes:
            module.training = training
        for parameter, gradient, requires_grad in gradients:
            parameter.grad = gradient
            if parameter.requires_grad != requires_grad:
                parameter.requires_grad_(requires_grad)
        with torch.no_grad():
            for tensor, content in copies:
                _restore(tensor, content)


def _tensors_of(model: nn.Module, modules: list[nn.Module]) -> list[Tensor]:
    """Return all that may be changed in place: parameters, gradients, buffers and tensors among the attributes."""
    state = [tensor for tensor in (*model.parameters(), *model.buffers()) if not is_lazy(tensor)]
    gradients = [tensor.grad for tensor in state if tensor.is_leaf and tensor.grad is not None]
    plain = [value for module in modules for value in vars(module).values() if isinstance(value, Tensor)]
    return [*state, *gradients, *plain]


def _restore(tensor: Tensor, content: Tensor) -> None:
    """Write a tensor's content back where it has changed.

    Writing what has not changed would count as a change, and a backward that is still to come would refuse to run.
    """
    if tensor.shape != content.shape:
        tensor.data = content
    elif tensor.layout != torch.strided or not torch.equal(tensor, content):  # torch cannot compare sparse tensors
        tensor.copy_(content)
