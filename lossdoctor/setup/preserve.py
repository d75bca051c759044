"""Leaving no trace: whatever happens to a model while it is examined is undone."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch
from torch import nn

from .device import random_state_kept


@contextlib.contextmanager
def preserved(model: nn.Module) -> Iterator[None]:
    """Put parameters, buffers, `.grad`, `requires_grad`, modes and random generators back to what they were.

    Costs a copy of the parameters and buffers, less than an optimizer keeps.
    """
    tensors = [*model.parameters(), *model.buffers()]
    copies = [tensor.detach().clone() for tensor in tensors]
    gradients = [(parameter, parameter.grad, parameter.requires_grad) for parameter in model.parameters()]
    gradient_copies = [None if gradient is None else gradient.detach().clone() for _, gradient, _ in gradients]
    modes = [(module, module.training) for module in model.modules()]
    try:
        with random_state_kept():
            yield
    finally:
        with torch.no_grad():
            for tensor, copy in zip(tensors, copies, strict=True):
                tensor.copy_(copy)
            for (parameter, gradient, requires_grad), copy in zip(gradients, gradient_copies, strict=True):
                parameter.grad = gradient
                if gradient is not None and copy is not None:
                    gradient.copy_(copy)
                parameter.requires_grad_(requires_grad)
        for module, training in modes:
            module.training = training
