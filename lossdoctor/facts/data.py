"""What the data gave."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class UnreadableSample:
    """A file of the data set that could not be decoded."""

    file: str
    reason: str


@dataclass(frozen=True)
class BatchEntry:
    """One tensor of the batches, such as the input, the target or a mask, summarised over all of them."""

    name: str  #: "input", "target", or its place in the batch: "[2]", "mask"
    shape: tuple[int, ...]  #: of one sample, in the first batch
    dtype: str
    samples: int  #: over all batches
    distinct: int  #: different values among some of the elements; few where they are discrete
    constant: int = 0  #: samples whose elements are all the same
    value: float | None = None  #: the value of every element of every sample, where there is a single one
    non_finite: int = 0  #: samples with NaN or infinity
    empty: int = 0  #: batches in which it has no elements

    @property
    def elements(self) -> int:
        """Elements of one sample."""
        return math.prod(self.shape)


@dataclass(frozen=True)
class DataFacts:
    """What the data gave."""

    batches: int
    batch_sizes: tuple[int, ...] = ()
    samples: int | None = None  #: of the whole data set, where it has a length
    unreadable: tuple[UnreadableSample, ...] = ()
    entries: tuple[BatchEntry, ...] = ()
    copies: tuple[int, ...] = ()  #: by batch, the samples that are the same, in every tensor, as an earlier one
