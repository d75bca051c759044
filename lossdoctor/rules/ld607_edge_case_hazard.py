"""LD607: NaN or infinity on a batch that is rare but real."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar

from ..records import Finding, Severity
from .base import Case, Rule, listing
from .non_finite import has_finite_gradients, has_finite_values, place

if TYPE_CHECKING:
    from ..facts.anomalies import Anomaly


class EdgeCaseHazard(Rule):
    """A component is finite on ordinary batches, and NaN or infinite on one that is bound to come.

    One black image, one silent clip, one empty mask, one pixel without a valid neighbour, two samples that are the
    same, a prediction that is exactly right: somewhere in an epoch there is one, and a single NaN in a gradient is in
    every weight after the next step. Usual causes: `sqrt` or a hand-written norm at zero, a logarithm or a division of
    zero, `acos` at ±1, a mean over no element.

    Tried are only edges that can occur in data like this. Images become as dark as the darkest pixel in the batches,
    signals silent, masks and labels empty, all in one sample beside ordinary ones; a whole batch without any positive
    or labelled element only where the batches show that chance leaves one so; and the target in place of the
    prediction, where their shapes are the same. What is not finite on ordinary batches either is LD601 or LD602.

    The finding says which edge it was, and which operation on which line made the first NaN or infinity.

    Remedy: guard the operation itself: an eps inside `sqrt`, `log` and norms, `acos` of a value clamped to ±(1 − eps),
    a count clamped to at least 1. `nan_to_num` and `where` on the result leave the gradient NaN.
    """

    code: ClassVar[str] = "LD607"
    name: ClassVar[str] = "edge-case-hazard"
    severity: ClassVar[Severity] = Severity.WARNING
    requires: ClassVar[tuple[str, ...]] = ("gradients", "edges")

    def check(self, case: Case) -> Iterator[Finding]:
        """Yield a finding for every component that is not finite at an edge, all edges together."""
        for gradients in case.gradients:
            for k, name in enumerate(gradients.components):
                if not has_finite_values(gradients, k) or not has_finite_gradients(gradients, k):
                    continue
                if hazards := list(_hazards(case, gradients.name, name)):
                    yield self._report(case, gradients.name, name, hazards)

    def _report(self, case: Case, objective: str, name: str, hazards: list[tuple[str, Anomaly]]) -> Finding:
        first = next((anomaly for _, anomaly in hazards if anomaly.operation), hazards[0][1])
        where = "value" if any(anomaly.where == "value" for _, anomaly in hazards) else "gradient"
        made = f", first made by {first.operation}" if first.operation else ""
        edges = list(dict.fromkeys(edge for edge, _ in hazards))
        return self.finding(
            [name],
            f"the {where} of {name} is NaN or infinite at {listing(edges)}{made}",
            objective=objective,
            evidence={
                "edges": {edge: f"{anomaly.where}: {anomaly.operation or 'unknown'}" for edge, anomaly in hazards},
                "operation": first.operation,
            },
            remedy="Keep the singular point out of the operation: an eps inside sqrt, log or norm, a clamp inside "
            "acos, a count of at least 1.",
            location=place(case, first, name),
        )


def _hazards(case: Case, objective: str, component: str) -> Iterator[tuple[str, Anomaly]]:
    for edge in (case.examination.edges if case.examination else None) or ():
        for anomaly in edge.anomalies:
            if (anomaly.objective, anomaly.component) == (objective, component):
                yield edge.name, anomaly
