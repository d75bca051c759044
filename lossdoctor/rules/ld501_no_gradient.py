"""LD501: a component without a gradient path."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, ClassVar

from ..records import ComponentReport, Finding, Severity
from .base import Case, Rule, listing

if TYPE_CHECKING:
    from ..facts.operands import Operation


class NoGradient(Rule):
    """A component has a value but no gradient: it is in the total and cannot change a single weight.

    Usual causes: `.item()`, `.detach()`, `.data` or a `torch.no_grad()` block around the prediction's side; a trip
    through numpy; `argmax`, `round` or a comparison, which have no derivative; a loss that reads the wrong, detached
    tensor. With several objectives it also means that the component reaches none of the parameters that its objective
    trains.

    Found without a threshold: automatic differentiation gives no path from the component to any trainable parameter.
    What one line cuts off is one finding. A component that does have a path, but only to parameters outside the model
    (the learned weights that an uncertainty weighting keeps in the criterion), is a note.

    Remedy: keep the graph on the prediction's side and detach only the target; replace operations without a
    derivative by a soft version. A component that is only logged does not belong into the returned mapping.
    """

    code: ClassVar[str] = "LD501"
    name: ClassVar[str] = "no-gradient"
    severity: ClassVar[Severity] = Severity.ERROR
    requires: ClassVar[tuple[str, ...]] = ("gradients",)
    explains: ClassVar[tuple[str, ...]] = ("LD102", "LD104", "LD503", "LD701", "LD704", "LD705")
    overshadows: ClassVar[tuple[str, ...]] = ("LD104",)

    def check(self, case: Case) -> Iterator[Finding]:
        """Yield a finding for everything that leaves components with a weight without a gradient path."""
        for gradients, objective in zip(case.gradients, case.objectives, strict=True):
            lost: dict[object, list[ComponentReport]] = {}
            for component in objective.components:
                if component.attached or component.weight == 0:
                    continue
                if component.name in gradients.trains_elsewhere:
                    yield self._elsewhere(case, objective.name, component)
                else:
                    lost.setdefault(_cause(case, objective.name, component.name), []).append(component)
            for components in lost.values():
                yield self._judge(case, objective.name, components)

    def _judge(self, case: Case, objective: str, components: Sequence[ComponentReport]) -> Finding:
        values = {component.name: component.value for component in components}
        names, cut = list(values), _cut(case, objective, components[0].name)
        one, frozen = len(names) == 1, _all_frozen(case)
        message = f"{listing(names)} {'has' if one else 'have'} no gradient path to "
        message += "any parameter: all of them are frozen" if frozen else "the parameters to be trained"
        message += f"; {cut.name} cuts it" if cut else ""
        message += f": {'it is' if one else 'they are'} counted in the total and change{'s' if one else ''} nothing"
        return self.finding(
            names,
            message,
            objective=objective,
            evidence={"value": values[names[0]] if one else values, "attached": False}
            | ({"cut_by": cut.name} if cut else {}),
            remedy="Unfreeze the parameters that are to be trained (requires_grad_(True))."
            if frozen
            else "Keep the graph on the prediction's side (no .item(), .detach(), numpy, argmax) "
            "and detach the target only.",
            location=cut.location if cut else case.locate_component(names[0]),
        )

    def _elsewhere(self, case: Case, objective: str, component: ComponentReport) -> Finding:
        return self.finding(
            [component.name],
            f"{component.name} trains no parameter of the model, only parameters outside it, as the learned weights of "
            "a criterion are",
            objective=objective,
            severity=Severity.NOTE,
            evidence={"value": component.value, "attached": False, "trains_elsewhere": True},
            remedy="Nothing, if an optimizer trains them; which parameters an optimizer holds cannot be seen here.",
            location=case.locate_component(component.name),
        )


def _all_frozen(case: Case) -> bool:
    parameters = case.examination.parameters if case.examination else None
    return parameters is not None and parameters.trainable == 0


def _cut(case: Case, objective: str, component: str) -> Operation | None:
    """Return the operation that cuts a component off, None where it was not seen."""
    operations = case.operations(objective, component)
    return next((operation for operation in operations if operation.cuts_gradient), None)


def _cause(case: Case, objective: str, component: str) -> object:
    """Return what is the same for components without a gradient path for the same reason."""
    cut = _cut(case, objective, component)
    if _all_frozen(case):
        return "frozen"
    return (cut.name, cut.location) if cut and cut.location else ("unknown", component)
