"""Samples that are rare but real: black, silent, empty, unlabelled, or the same as another one.

A batch holds one such sample beside ordinary ones, as it would come out of a loader. A whole batch of them is unlikely,
and made only where the data shows that it is not.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ...setup.batches import Batch, changed, parts_of, target_of
from ..tensors import tensors_in
from .made_batches import is_by_sample, size_of

#: Correlation of neighbouring elements from which a tensor is a signal: sampled sound, a spectrogram, a depth profile.
#: Features and noise have none.
SMOOTH = 0.3

#: A signal has at least this many samples.
LEAST_LENGTH = 32

#: How likely a batch without any element that counts has to be: a training run of ten thousand steps meets it once.
LIKELY = 1e-4


@dataclass(frozen=True)
class SampleEdge:
    """A change that makes one sample of a batch, in place, one that is rare but real."""

    name: str
    apply: Callable[[Batch, int], None]
    samples: int = 1  #: it takes so many, beginning with the one that is given


def copied(batch: Batch) -> Any:
    """Return a copy of a batch that may be written into."""
    return changed(batch, lambda tensor: tensor.detach().clone().requires_grad_(tensor.requires_grad))


def sample_edges(batches: Sequence[Batch]) -> Iterator[SampleEdge]:
    """Yield the edges that can occur in data like these batches."""
    size = size_of(batches[0])
    columns = _columns(batches)
    if resting := {name: rest for name, column in columns.items() if (rest := _rest(column)) is not None}:
        dark = any(column[0].dim() > 3 for name, column in columns.items() if name in resting)
        yield SampleEdge("a black image" if dark else "a silent signal", _filling(resting))
    for name, column in columns.items():
        if is_mask(column) and column[0].dim() > 1 and not _is_padding(column):
            yield SampleEdge(f"an empty mask ({name})", _filling({name: 0}))
        elif (label := ignored_label(column)) is not None and column[0].dim() > 1:
            yield SampleEdge(f"a sample without labels ({name} is {label} throughout)", _filling({name: label}))
    if alike := _alike(batches[0], columns):
        yield SampleEdge(f"{' and '.join(alike)} of a sample that are equal", _equalling(alike))
    if size > 2:
        yield SampleEdge("two samples that are equal", _repeat_sample, samples=2)
    if _has_objects(batches[0], size):
        yield SampleEdge("a sample without objects", _remove_objects)


def batch_edges(batches: Sequence[Batch]) -> Iterator[tuple[str, Batch]]:
    """Yield, by name, whole batches that the data makes likely: without any mark of a rare kind, without any label."""
    for name, column in _columns(batches).items():
        empty: float | None = None
        if is_mask(column) and not _is_padding(column) and _is_often_empty([tensor != 0 for tensor in column]):
            empty = 0
        elif (label := ignored_label(column)) is not None and _is_often_empty([tensor != label for tensor in column]):
            empty = label
        if empty is not None:
            made = copied(batches[0])
            tensors_in(made, "batch")[name].fill_(empty)
            yield f"a batch without a single element of {name}", made


def _columns(batches: Sequence[Batch]) -> Mapping[str, list[Tensor]]:
    """Return the tensors of one row per sample, by their place in the batch, in all batches that have them."""
    columns: dict[str, list[Tensor]] = {}
    for batch in batches:
        size = size_of(batch)
        if _has_objects(batch, size):
            continue  # whose tensors are those of single samples
        for name, tensor in tensors_in(batch, "batch").items():
            if is_by_sample(tensor, size) and tensor.numel() and not tensor.is_complex() and not tensor.is_sparse:
                columns.setdefault(name, []).append(tensor.detach())
    first = tensors_in(batches[0], "batch")
    return {name: column for name, column in columns.items() if name in first}


def is_mask(column: Sequence[Tensor]) -> bool:
    """Return whether a tensor holds nothing but zeros and ones, and both of them."""
    return _holds_both([(tensor == 0).any() for tensor in column], [(tensor == 1).any() for tensor in column]) and all(
        bool(((tensor == 0) | (tensor == 1)).all()) for tensor in column
    )


def _holds_both(zeros: Sequence[Tensor], ones: Sequence[Tensor]) -> bool:
    return bool(torch.stack(list(zeros)).any()) and bool(torch.stack(list(ones)).any())


def _is_padding(column: Sequence[Tensor]) -> bool:
    """Whether every row is a run of one value followed by a run of the other: padding never covers a whole sample."""
    return all(int((tensor.diff(dim=-1) != 0).sum(-1).amax()) <= 1 for tensor in column if tensor.shape[-1] > 1)


def ignored_label(column: Sequence[Tensor]) -> int | None:
    """Return the label that marks what is to be ignored: a negative one, or one far above all others; None without.

    Classes are numbered from 0, and 255 is what an image of bytes holds in place of a negative label.
    """
    if column[0].is_floating_point() or column[0].dtype == torch.bool:
        return None
    values = torch.cat([tensor.unique() for tensor in column]).unique().tolist()
    if len(values) > 1 and values[0] < 0 <= values[1]:
        return int(values[0])
    return 255 if len(values) > 1 and values[-1] == 255 and values[-2] < 254 and values[0] >= 0 else None


def _is_often_empty(masks: Sequence[Tensor]) -> bool:
    """Whether a whole batch may well have no element that counts.

    Marks that come by chance, n of them per batch on average, leave none with the probability exp(-n). Marks that go
    together, as the pixels of an object do, leave whole samples without: then it is how often that was seen, for each
    sample of a batch.
    """
    empty = torch.cat([~mask.flatten(1).any(1) for mask in masks] if masks[0].dim() > 1 else [~mask for mask in masks])
    together = float(empty.float().mean()) ** len(masks[0])
    by_chance = math.exp(-sum(int(mask.sum()) for mask in masks) / len(masks))
    return max(together, by_chance) >= LIKELY


def _rest(column: Sequence[Tensor]) -> float | None:
    """Return the value that an image or a signal has where there is nothing: its least, or 0 where it swings around it.

    None for what is no signal.
    """
    first = column[0]
    if not first.is_floating_point() or first.dim() < 2 or is_mask(column) or not _is_signal(first):
        return None
    least = min(float(tensor.amin()) for tensor in column)
    if first.dim() > 3 or least >= 0:
        return least
    return 0.0 if abs(float(first.mean())) < 0.25 * float(first.std()) else least


def _is_signal(tensor: Tensor) -> bool:
    if tensor.dim() > 3:
        return min(tensor.shape[-2:]) > 2
    if tensor.shape[-1] < LEAST_LENGTH:
        return False
    here, there = tensor[..., :-1].float(), tensor[..., 1:].float()
    mean, variance = tensor.float().mean(), tensor.float().var()
    return float(((here - mean) * (there - mean)).mean()) > SMOOTH * float(variance) > 0


def _alike(batch: Batch, columns: Mapping[str, Sequence[Tensor]]) -> list[str]:
    """Return the inputs that have one shape and one range, such as two views, two frames, an anchor and a positive."""
    target = target_of(batch)
    several = {
        name: column[0]
        for name, column in columns.items()
        if column[0].dim() > 1 and column[0].is_floating_point() and not is_mask(column)
    }
    if len(several) == 2 and any(tensor is target for tensor in several.values()):
        return []  # an input and its target
    for first in several:
        if others := [name for name in several if name != first and _same_range(several[first], several[name])]:
            return [first, *others]
    return []


def _same_range(a: Tensor, b: Tensor) -> bool:
    if a.shape != b.shape:
        return False
    width = float(a.amax() - a.amin())
    return max(abs(float(a.amax() - b.amax())), abs(float(a.amin() - b.amin()))) <= 0.25 * width


def _filling(values: Mapping[str, float]) -> Callable[[Batch, int], None]:
    def fill(batch: Batch, sample: int) -> None:
        tensors = tensors_in(batch, "batch")
        with torch.no_grad():
            for name, value in values.items():
                tensors[name][sample] = value

    return fill


def _equalling(names: Sequence[str]) -> Callable[[Batch, int], None]:
    def equal(batch: Batch, sample: int) -> None:
        first, *others = (tensors_in(batch, "batch")[name] for name in names)
        with torch.no_grad():
            for other in others:
                other[sample] = first[sample]

    return equal


def _repeat_sample(batch: Batch, sample: int) -> None:
    size = size_of(batch)
    with torch.no_grad():
        for tensor in tensors_in(batch, "batch").values():
            if is_by_sample(tensor, size):
                tensor[sample] = tensor[sample + 1]


def _has_objects(batch: Batch, size: int) -> bool:
    return any(_objects(sample) for sample in _samples(batch, size))


def _remove_objects(batch: Batch, sample: int) -> None:
    for part in parts_of(batch):
        if isinstance(part, list) and sample < len(part) and (count := _objects(part[sample])):
            part[sample] = {
                key: value[:0] if isinstance(value, Tensor) and value.dim() and len(value) == count else value
                for key, value in part[sample].items()
            }


def _samples(batch: Batch, size: int) -> Iterator[Any]:
    """Yield what the lists of a batch hold for every sample."""
    for part in parts_of(batch):
        if isinstance(part, list) and len(part) == size:
            yield from part


def _objects(sample: Any) -> int:
    """Return how many objects a sample's mapping holds boxes, labels or masks of; 0 where it holds none."""
    if not isinstance(sample, Mapping) or not isinstance(boxes := sample.get("boxes"), Tensor):
        return 0
    return len(boxes) if boxes.dim() else 0
