"""LD501: a component without a gradient path."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from ..records import Finding, Severity
from .base import Case, Rule


@dataclass(frozen=True)
class NoGradient(Rule):
    """A component has a value but no gradient: it is in the total and cannot change a single weight.

    Usual causes: `.item()`, `.detach()`, `.data` or a `torch.no_grad()` block around the prediction's side; a trip
    through numpy; `argmax`, `round` or a comparison, which have no derivative; a loss that reads the wrong, detached
    tensor. With several objectives it also means that the component reaches none of the parameters that its objective
    trains.

    Found without a threshold: automatic differentiation gives no path from the component to any trainable parameter.

    Remedy: keep the graph on the prediction's side and detach only the target; replace operations without a
    derivative by a soft version. A component that is only logged does not belong into the returned mapping.
    """

    code: ClassVar[str] = "LD501"
    name: ClassVar[str] = "no-gradient"
    severity: ClassVar[Severity] = Severity.ERROR
    requires: ClassVar[tuple[str, ...]] = ("gradients",)
    explains: ClassVar[tuple[str, ...]] = ("LD102", "LD104", "LD503")
    overshadows: ClassVar[tuple[str, ...]] = ("LD104",)

    def check(self, case: Case) -> Iterator[Finding]:
        """Yield a finding for every component that has a weight and no gradient path."""
        nothing_to_train = self._nothing_to_train(case)
        for objective in case.objectives:
            for component in objective.components:
                if component.attached or component.weight == 0:
                    continue
                break_point = next(
                    (cut for cut in case.operations(objective.name, component.name) if cut.cuts_gradient),
                    None,
                )
                yield self.finding(
                    [component.name],
                    f"{component.name} has no gradient path to "
                    + (
                        "any parameter: all of them are frozen"
                        if nothing_to_train
                        else "the parameters that it should train"
                    )
                    + (f"; {break_point.name} cuts it" if break_point else "")
                    + ": it is counted in the total and changes nothing",
                    objective=objective.name,
                    evidence={"value": component.value, "attached": False}
                    | ({"cut_by": break_point.name} if break_point else {}),
                    remedy=(
                        "Unfreeze the parameters that are to be trained (requires_grad_(True))."
                        if nothing_to_train
                        else "Keep the graph on the prediction's side (no .item(), .detach(), numpy, argmax) "
                        "and detach the target only."
                    ),
                    location=break_point.location if break_point else case.locate_component(component.name),
                )

    @staticmethod
    def _nothing_to_train(case: Case) -> bool:
        parameters = case.examination.parameters if case.examination else None
        return parameters is not None and parameters.trainable == 0
