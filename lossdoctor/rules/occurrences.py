"""Faults that show in traced operations, gathered by cause: one cause in an objective is one finding."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

from .base import Case, listing

if TYPE_CHECKING:
    from ..facts.operands import Operation
    from ..records import Location

Cause = TypeVar("Cause", bound=Hashable)


@dataclass(frozen=True)
class Occurrence(Generic[Cause]):
    """A cause, the components of one objective that have it, and the first place where it shows."""

    objective: str
    components: tuple[str, ...]
    cause: Cause
    location: Location | None

    def does(self, verb: str) -> str:
        """Return subject and verb of a sentence: "lab compares", "lab and ab compare"."""
        return f"{listing(self.components)} {verb}{'s' if len(self.components) == 1 else ''}"


def occurrences(case: Case, recognize: Callable[[Operation], Cause | None]) -> Iterator[Occurrence[Cause]]:
    """Yield what `recognize` sees in the operations of every component that has a weight.

    Causes that compare equal are one; fields that do not take part in the comparison are those of the first.
    """
    for objective in case.objectives:
        found: dict[Cause, list[tuple[str, Operation]]] = {}
        for component in objective.components:
            for operation in case.operations(objective.name, component.name) if component.weight != 0 else ():
                if (cause := recognize(operation)) is not None:
                    found.setdefault(cause, []).append((component.name, operation))
        for cause, places in found.items():
            components = tuple(dict.fromkeys(name for name, _ in places))
            location = places[0][1].location or case.locate_component(components[0])
            yield Occurrence(objective.name, components, cause, location)


def is_whole(operation: Operation) -> bool:
    """Return whether every element of a comparison counts alike: none is masked, weighted or looked at by itself."""
    return operation.arguments.get("reduction") not in ("none", "weighted")


def is_weighted(operation: Operation) -> bool:
    """Return whether the elements of a comparison were averaged with weights, or under a mask, and nothing else."""
    return operation.arguments.get("reduction") == "weighted"
