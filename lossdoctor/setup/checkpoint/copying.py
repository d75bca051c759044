"""Copying tensors into a model by its own `load_state_dict`: what fits goes in, or nothing does."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import torch
from torch import nn
from torch.nn.parameter import is_lazy

from ...errors import CheckpointError
from ...facts.checkpoint import KeyMismatch
from .state_dicts import StateDict, shapes


@dataclass(frozen=True)
class Outcome:
    """What the model said to a state dict, in its own names."""

    missing: tuple[str, ...]
    unexpected: tuple[str, ...]
    reshaped: tuple[KeyMismatch, ...]


def copy_into(model: nn.Module, state: StateDict, expected: StateDict, path: Path) -> Outcome:
    """Copy the tensors that fit; `expected` is the model's own state dict, `path` is for messages.

    The model loads them itself, so that hooks and `_load_from_state_dict` of its modules count, which rename
    or resize the tensors of older versions. Raises CheckpointError where it cannot take a tensor; it is as it
    was then.
    """
    with _all_or_nothing(model, path):
        try:
            missing, unexpected = _load(model, state, expected)
            return Outcome(tuple(missing), tuple(unexpected), ())
        except RuntimeError:
            # Modules refused some shapes, and torch does not say then what is missing. Without those it does.
            reshaped = tuple(_reshaped(state, expected))
            if not reshaped:
                raise
            misfits = {mismatch.key for mismatch in reshaped}
            fitting = {key: value for key, value in state.items() if key not in misfits}
            missing, unexpected = _load(model, fitting, expected)
            return Outcome(tuple(key for key in missing if key not in misfits), tuple(unexpected), reshaped)


def _load(model: nn.Module, state: StateDict, expected: StateDict) -> tuple[list[str], list[str]]:
    """Return the missing and the unexpected keys; torch raises RuntimeError where a shape is refused."""
    result = model.load_state_dict(state, strict=False)
    if result is None:  # from an override that returns nothing
        return [key for key in expected if key not in state], [key for key in state if key not in expected]
    return result.missing_keys, result.unexpected_keys


def _reshaped(state: StateDict, expected: StateDict) -> Iterator[KeyMismatch]:
    found = shapes(state)
    for key, wanted in shapes(expected).items():
        there = found.get(key)
        if wanted is not None and there is not None and wanted != there:
            yield KeyMismatch(key, expected=wanted, found=there)


@contextmanager
def _all_or_nothing(model: nn.Module, path: Path) -> Iterator[None]:
    """Put the model back if loading fails half-way: in a user's hook, or where torch cannot copy a tensor.

    For as long as that takes it keeps a copy of the model, a third of what training with Adam will need.
    """
    tensors = [tensor for tensor in chain(model.parameters(), model.buffers()) if not is_lazy(tensor)]
    before = [tensor.detach().clone() for tensor in tensors]
    try:
        yield
    except Exception as error:
        with torch.no_grad():
            for tensor, value in zip(tensors, before, strict=True):
                # An expanded buffer cannot be written to, so only what has changed is.
                if not torch.equal(tensor, value):
                    tensor.copy_(value)
        message = f"{path} could not be loaded into {type(model).__name__}: {_reason(error)}"
        advice = "Load it in your own code to see what fails; the model was left as it was."
        raise CheckpointError(message, advice) from error


def _reason(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines()]
    if len(lines) > 1 and lines[0].startswith("Error(s) in loading"):
        return lines[1]
    return f"{type(error).__name__}: {lines[0] if lines else ''}"
