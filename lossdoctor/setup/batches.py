"""Batches: taken from whatever yields them, kept on the host, handed to the model and the loss."""

from __future__ import annotations

import copy
import dataclasses
import itertools
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.distributions import Distribution
from torch.nn.utils.rnn import PackedSequence
from torch.utils.data import DataLoader, Dataset, IterableDataset

from ..config.schema import Config, ImageData
from ..errors import DataError
from ..facts.data import DataFacts
from .device import seed_everything
from .user_code import blaming, import_target

Batch = Any


def load_batches(config: Config, count: int) -> tuple[list[Batch], DataFacts]:
    """Return the first `count` batches, fewer where the data ends sooner, and what is known of the data.

    Raises DataError when there is not a single batch.
    """
    seed_everything(config.measure.seed)
    data = config.data
    if isinstance(data, ImageData):
        from .images import PhotoFolder

        photos = PhotoFolder(data, config.folder, seed=config.measure.seed)
        batches = take_batches(loader(photos, data.batch_size, config.measure.seed), count, "data.images")
        unreadable, samples = tuple(photos.unreadable), len(photos)
    else:
        source = target_source(data.target, data.args, batch_size=data.batch_size, seed=config.measure.seed)
        batches = take_batches(source, count, "data.target")
        unreadable, samples = (), None
    return batches, DataFacts(
        batches=len(batches),
        batch_sizes=tuple(size for batch in batches if (size := batch_size(batch)) is not None),
        samples=samples,
        unreadable=unreadable,
    )


def loader(dataset: Dataset[Any], size: int, seed: int) -> DataLoader[Any]:
    """Return a loader of a data set in a shuffled order that depends on the seed alone."""
    # Files and classes are often sorted: without shuffling, the first batches would show one kind of sample only.
    shuffle = not isinstance(dataset, IterableDataset)
    return DataLoader(dataset, size, shuffle=shuffle, generator=torch.Generator().manual_seed(seed % 2**63))


def target_source(
    target: str, args: Mapping[str, Any], *, batch_size: int, seed: int, key: str = "data.target"
) -> Iterable[Batch]:
    """Return the batches that a target of the config yields; `key` is where it is named, for the messages.

    Raises UserCodeError where it fails, DataError where it returns something else.
    """
    with blaming(f"calling {key}"):
        source = import_target(target, key)(**args)
    if isinstance(source, Dataset):
        with blaming(f"loading batches from {key}, a {type(source).__name__}"):
            # torch refuses to shuffle nothing; an empty list is what there is to say about it.
            return loader(source, batch_size, seed) if _has_samples(source) else []
    if not isinstance(source, Iterable) or isinstance(source, (str, bytes, Mapping, torch.Tensor)):
        message = f"{key}: {target} returned {type(source).__name__}"
        raise DataError(message, "Return a DataLoader, a Dataset, or an iterable of batches.")
    return source


def _has_samples(dataset: Dataset[Any]) -> bool:
    return isinstance(dataset, IterableDataset) or len(dataset) > 0  # type: ignore[arg-type]


def take_batches(source: Iterable[Batch], count: int, key: str) -> list[Batch]:
    """Return copies of the first `count` batches on the host. Raises DataError where there is none."""
    with blaming(f"reading a batch from {key}"):
        batches = [to(batch, torch.device("cpu")) for batch in itertools.islice(source, count)]
    if not batches:
        message = f"{key}: the data gave no batch"
        raise DataError(message, "Check that the data set is not empty and that an iterator was not used up before.")
    return batches


def to(batch: Batch, device: torch.device) -> Batch:
    """Return a copy of a batch on a device: tensors are copied, containers rebuilt, everything else kept.

    A copy even where nothing moves: user code may change a batch in place, and every instrument must see the same.
    """
    if isinstance(batch, torch.Tensor):
        moved = _copy(batch.detach(), device)
        return moved.requires_grad_(batch.requires_grad) if batch.requires_grad else moved
    if isinstance(batch, Mapping):
        return rebuilt(batch, {key: to(value, device) for key, value in batch.items()})
    if isinstance(batch, PackedSequence):  # a named tuple whose lengths have to stay on the host
        indices = (to(batch.sorted_indices, device), to(batch.unsorted_indices, device))
        return PackedSequence(to(batch.data, device), batch.batch_sizes, *indices)
    if isinstance(batch, tuple) and hasattr(batch, "_fields"):
        return type(batch)(*(to(value, device) for value in batch))
    if isinstance(batch, (tuple, list)):
        return type(batch)(to(value, device) for value in batch)
    if hasattr(batch, "clone") and hasattr(batch, "to"):
        return batch.clone().to(device)  # graphs and other batch classes of their own
    if (fields := named_parts(batch)) is not None:
        return _with_fields(batch, {name: to(value, device) for name, value in fields.items()})
    return batch


def _copy(tensor: torch.Tensor, device: torch.device) -> torch.Tensor:
    """Return a copy on a device, without waiting for what a GPU is still busy with."""
    if device.type == "cuda" and tensor.device.type == "cpu" and tensor.layout == torch.strided:
        # Only from pinned memory does a copy take its place among the GPU's work; from other memory the host waits.
        return tensor.pin_memory().to(device, non_blocking=True)
    return tensor.to(device, copy=True)


def changed(batch: Batch, change: Callable[[torch.Tensor], torch.Tensor]) -> Any:
    """Return a batch, or a model's output, with every tensor changed; containers are rebuilt, all else is kept."""
    if isinstance(batch, torch.Tensor):
        return change(batch)
    if isinstance(batch, Mapping):
        return rebuilt(batch, {key: changed(value, change) for key, value in batch.items()})
    if isinstance(batch, tuple) and hasattr(batch, "_fields"):
        return type(batch)(*(changed(value, change) for value in batch))
    if isinstance(batch, (tuple, list)):
        return type(batch)(changed(value, change) for value in batch)
    if (fields := named_parts(batch)) is not None:
        return _with_fields(batch, {name: changed(value, change) for name, value in fields.items()})
    return batch


def named_parts(batch: Batch) -> Mapping[Any, Any] | None:
    """Return the parts of a batch, or of a model's output, by their names, where they have such.

    Those of a mapping, of a dataclass, and of a distribution what it is centred on: what its model predicts.
    """
    if isinstance(batch, Mapping):
        return batch
    if isinstance(batch, Distribution):
        return {name: batch.__dict__[name] for name in ("loc", "base_dist") if name in batch.__dict__}
    if dataclasses.is_dataclass(batch) and not isinstance(batch, type):
        return {field.name: getattr(batch, field.name) for field in dataclasses.fields(batch)}
    return None


def _with_fields(batch: Any, fields: Mapping[str, Any]) -> Any:
    """Return a dataclass or distribution with other values; what it computes when it is made is not computed again."""
    made = copy.copy(batch)
    for name, value in fields.items():
        object.__setattr__(made, name, value)  # frozen ones too
    return made


def rebuilt(batch: Mapping[Any, Any], items: dict[Any, Any]) -> Any:
    """Return a mapping of the type of another; a dictionary where the type cannot be made from one."""
    if type(batch) is dict:
        return items
    try:
        return type(batch)(items)  # type: ignore[call-arg]
    except TypeError:
        return items


def batch_size(batch: Batch) -> int | None:
    """Return the length of the first tensor's first dimension, None where a batch has no tensor."""
    if isinstance(batch, torch.Tensor):
        return batch.shape[0] if batch.dim() else None
    return next((size for part in parts_of(batch) if (size := batch_size(part)) is not None), None)


def parts_of(batch: Batch) -> Iterable[Any]:
    """Return the parts of a batch, whether they have names or places; nothing for a tensor."""
    named = named_parts(batch)
    return named.values() if named is not None else batch if isinstance(batch, (tuple, list)) else ()


def call_model(model: nn.Module, batch: Batch) -> Any:
    """Return the model's output for a batch.

    `(input, ...)` → `model(batch[0])`; a mapping with the key `input` → `model(batch["input"])`; any other mapping →
    `model(**batch)`; a tensor → `model(batch)`.
    """
    if isinstance(batch, Mapping):
        return model(batch["input"]) if "input" in batch else model(**batch)
    if isinstance(batch, (tuple, list)):
        if not batch:
            message = "a batch is empty: there is nothing to give to the model"
            raise DataError(message, "Yield (input, target) tuples, mappings or tensors.")
        return model(batch[0])
    return model(batch)


def target_of(batch: Batch) -> Any:
    """Return the target of a batch: the second element of a tuple, what a mapping or dataclass calls so; else None."""
    if (named := named_parts(batch)) is not None:
        return named.get("target")
    if isinstance(batch, (tuple, list)) and len(batch) > 1:
        return batch[1]
    return None


def resolve(folder: Path, path: str) -> Path:
    """Return a path of the config, which is relative to the config's folder."""
    return folder / Path(path).expanduser()
