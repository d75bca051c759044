"""The parameters, and what reaches them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class ParameterSize:
    """How large the values of one parameter are."""

    scalars: int
    rms: float  #: root mean square of its values
    dtype: str
    dimensions: int  #: 1 for a bias or a gain, 2 or more for a matrix or a kernel

    @property
    def norm(self) -> float:
        """The L2 norm of its values."""
        return self.rms * math.sqrt(self.scalars)


@dataclass(frozen=True)
class ParameterFacts:
    """Which parameters are trained, and which of them a component reaches."""

    trainable: int  #: scalars that require grad
    frozen: int
    unreached: Mapping[str, int] = field(default_factory=dict)
    """Parameter that should be trained -> its scalars, where no component reaches it."""
    zero_initialised: tuple[str, ...] = ()  #: trainable weights (matrices, kernels) that are all zero
    sizes: Mapping[str, ParameterSize] = field(default_factory=dict)  #: of every trainable parameter
    copies: Mapping[str, str] = field(default_factory=dict)
    """Unreached parameter -> the reached one that it is a copy of, as in a target network."""
