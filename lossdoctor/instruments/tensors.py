"""Finding the tensors in whatever a model returns."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from torch import Tensor

from ..setup.batches import rebuilt


def tensors_in(value: Any, name: str = "output") -> dict[str, Tensor]:
    """Return the tensors inside nested tuples, lists, mappings and dataclasses, by their path: "output[0].logits"."""
    return dict(_walk(value, name))


def _walk(value: Any, name: str) -> Iterator[tuple[str, Tensor]]:
    if isinstance(value, Tensor):
        yield name, value
    elif isinstance(value, Mapping):
        for key, part in value.items():
            yield from _walk(part, f"{name}.{key}")
    elif isinstance(value, tuple) and hasattr(value, "_fields"):
        for field, part in zip(value._fields, value, strict=True):
            yield from _walk(part, f"{name}.{field}")
    elif isinstance(value, (tuple, list)):
        for index, part in enumerate(value):
            yield from _walk(part, f"{name}[{index}]")
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        for part_field in dataclasses.fields(value):
            yield from _walk(getattr(value, part_field.name), f"{name}.{part_field.name}")


def mapped(value: Any, change: Callable[[Tensor], Tensor]) -> Any:
    """Return nested tuples, lists, mappings and dataclasses with every tensor inside changed; the rest is kept."""
    if isinstance(value, Tensor):
        return change(value)
    if isinstance(value, Mapping):
        items = {key: mapped(part, change) for key, part in value.items()}
        return items if type(value) is dict else rebuilt(value, items)
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*(mapped(part, change) for part in value))
    if isinstance(value, (tuple, list)):
        return type(value)(mapped(part, change) for part in value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = (part_field.name for part_field in dataclasses.fields(value))
        return dataclasses.replace(value, **{name: mapped(getattr(value, name), change) for name in fields})
    return value
