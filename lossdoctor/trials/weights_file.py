"""The weights of a model as a safetensors file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import safetensors
import safetensors.torch
from torch import Tensor, nn


def weights_as_bytes(model: nn.Module, metadata: Mapping[str, str]) -> bytes:
    """Return the state dict of a model in safetensors. What is no tensor is left out; tied tensors are stored once."""
    stored: dict[str, Tensor] = {}
    seen: set[tuple[object, ...]] = set()
    for name, value in model.state_dict().items():
        if not isinstance(value, Tensor):
            continue
        place = (value.device, value.data_ptr(), value.shape, value.stride())
        if value.numel() and place in seen:
            continue
        seen.add(place)
        stored[name] = value.detach().cpu().contiguous().clone()
    return safetensors.torch.save(stored, dict(metadata))


def saved_step(path: Path) -> int | None:
    """Return the step that a run has written into its weights; None for files of others."""
    try:
        with safetensors.safe_open(str(path), framework="pt") as file:
            return int((file.metadata() or {})["step"])
    except (OSError, safetensors.SafetensorError, KeyError, ValueError):
        return None
