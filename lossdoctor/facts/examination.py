"""Everything that was measured on one setup."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from .anomalies import Anomaly, DeadEnd
from .checkpoint import CheckpointFacts
from .data import DataFacts
from .gradients import ObjectiveGradients
from .operands import Operation
from .outputs import Output
from .parameters import ParameterFacts
from .probes import (
    Direction,
    Duplication,
    Edge,
    HalfPrecision,
    InputDependence,
    Optimum,
    Padding,
    Tiling,
    Total,
    Wavering,
)


@dataclass(frozen=True)
class Examination:
    """Everything measured on one setup. An instrument that did not run is None and says why in `skipped`."""

    gradients: tuple[ObjectiveGradients, ...] | None = None
    operations: tuple[Operation, ...] | None = None
    outputs: tuple[Output, ...] | None = None
    parameters: ParameterFacts | None = None
    checkpoint: CheckpointFacts | None = None
    data: DataFacts | None = None
    anomalies: tuple[Anomaly, ...] | None = None
    dead_ends: tuple[DeadEnd, ...] | None = None
    duplications: tuple[Duplication, ...] | None = None
    tilings: tuple[Tiling, ...] | None = None
    edges: tuple[Edge, ...] | None = None
    half_precision: tuple[HalfPrecision, ...] | None = None
    totals: tuple[Total, ...] | None = None
    directions: tuple[Direction, ...] | None = None
    optima: tuple[Optimum, ...] | None = None
    dependences: tuple[InputDependence, ...] | None = None
    waverings: tuple[Wavering, ...] | None = None
    paddings: tuple[Padding, ...] | None = None
    skipped: Mapping[str, str] = field(default_factory=dict)  #: instrument -> reason
