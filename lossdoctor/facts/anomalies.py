"""Where values or gradients stopped being finite, or being at all."""

from __future__ import annotations

from dataclasses import dataclass

from ..records import Location


@dataclass(frozen=True)
class Anomaly:
    """The first operation that made a component's value or gradient NaN or infinite."""

    objective: str
    component: str
    where: str  #: "value" or "gradient"
    batch: int
    operation: str | None  #: None where no operation could be singled out
    location: Location | None = None


@dataclass(frozen=True)
class DeadEnd:
    """The operation at which the whole gradient of a component ends."""

    objective: str
    component: str
    operation: str
    met: bool  #: it is flat where the component is least: a hinge that is met everywhere, not a way that is blocked
    location: Location | None = None
    selects: bool = False  #: what it selects is decided by the prediction, and a surer one would be selected
