"""How a checkpoint fitted the model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class KeyMismatch:
    """A checkpoint tensor whose shape is not the model's."""

    key: str
    expected: tuple[int, ...]
    found: tuple[int, ...]


@dataclass(frozen=True)
class CheckpointFacts:
    """How a checkpoint fitted the model."""

    path: str
    layout: str  #: what the file was: "safetensors", "state dict", "state_dict of a dict", …
    strict: bool
    loaded: int  #: tensors copied into the model
    missing: tuple[str, ...] = ()
    unexpected: tuple[str, ...] = ()
    reshaped: tuple[KeyMismatch, ...] = ()
    near: Mapping[str, str] = field(default_factory=dict)  #: missing key -> an unexpected key that is much like it
    stripped_prefix: str = ""
    dtypes: tuple[str, ...] = ()
