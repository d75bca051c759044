"""Finding the tensors in whatever a model returns."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from torch import Tensor

from ..setup.batches import named_parts


def tensors_in(value: Any, name: str = "output") -> dict[str, Tensor]:
    """Return the tensors inside tuples, lists and whatever has named parts, by their path: "output[0].logits"."""
    return dict(_walk(value, name))


def _walk(value: Any, name: str) -> Iterator[tuple[str, Tensor]]:
    if isinstance(value, Tensor):
        yield name, value
    elif (parts := named_parts(value)) is not None:
        for key, part in parts.items():
            yield from _walk(part, f"{name}.{key}")
    elif isinstance(value, tuple) and hasattr(value, "_fields"):
        for field, part in zip(value._fields, value, strict=True):
            yield from _walk(part, f"{name}.{field}")
    elif isinstance(value, (tuple, list)):
        for index, part in enumerate(value):
            yield from _walk(part, f"{name}[{index}]")
