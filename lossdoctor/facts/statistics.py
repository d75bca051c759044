"""What is kept of a tensor's elements."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Statistics:
    """The distribution of a tensor's elements, over all batches. Elements that are not finite are left out."""

    minimum: float
    maximum: float
    mean: float
    std: float

    @property
    def magnitude(self) -> float:
        """The largest absolute value."""
        return max(abs(self.minimum), abs(self.maximum))
