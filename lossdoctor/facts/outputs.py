"""What the model gave."""

from __future__ import annotations

from dataclasses import dataclass

from .statistics import Statistics


@dataclass(frozen=True)
class Output:
    """One tensor of the model's output, summarised over all batches."""

    name: str  #: "output", or the path inside a tuple or mapping: "output[0]", "output.logits"
    shape: tuple[int, ...]
    dtype: str
    activation: str | None  #: the operation that made it: "sigmoid", "tanh", "relu", …
    overall: Statistics
    channels: tuple[Statistics, ...] = ()
    zeros: float = 0.0  #: share of elements that are exactly zero
    between_samples: float = 0.0  #: standard deviation over the samples, averaged over the elements
    target: Statistics | None = None  #: of the target of the same shape, where there is one
    saturated: float = 0.0  #: share of elements (rows of a softmax) where a sigmoid, tanh or softmax is flat
    saturated_wrong: float | None = None  #: share of those that are far from the target; None where none is known
