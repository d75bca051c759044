"""What LD601 and LD602 share: who is not finite, and which operation made it so."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..facts.anomalies import Anomaly
    from ..facts.gradients import ObjectiveGradients
    from ..records import Location
    from .base import Case


def has_finite_values(gradients: ObjectiveGradients, k: int) -> bool:
    """Return whether component k is finite in every batch."""
    return all(batch[k] is None or math.isfinite(batch[k]) for batch in gradients.values)  # type: ignore[arg-type]


def has_finite_gradients(gradients: ObjectiveGradients, k: int) -> bool:
    """Return whether component k has a finite gradient in every block and batch."""
    return all(math.isfinite(gramian[k][k]) for block in gradients.blocks for gramian in block.gramians)


def culprit(case: Case, objective: str, component: str, where: str) -> Anomaly | None:
    """Return the anomaly that the examination traced for a component, where it could."""
    anomalies = (case.examination.anomalies if case.examination else None) or ()
    for anomaly in anomalies:
        if (anomaly.objective, anomaly.component, anomaly.where) == (objective, component, where):
            return anomaly
    return None


def place(case: Case, anomaly: Anomaly | None, component: str) -> Location | None:
    """Return the line of the operation, or else where the component is declared."""
    return anomaly.location if anomaly and anomaly.location else case.locate_component(component)
