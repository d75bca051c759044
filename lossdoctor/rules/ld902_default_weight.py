"""LD902: a weight that nobody wrote down."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from ..config.keys import dotted
from ..records import Finding, Severity
from .base import Case, Rule, listing


class DefaultWeight(Rule):
    """A component of a composite loss got weight 1.0 because the config gives it none.

    That may well be what is meant. It is worth a note because a misspelt or forgotten weight looks just the same.

    Remedy: write the weight down.
    """

    code: ClassVar[str] = "LD902"
    name: ClassVar[str] = "default-weight"
    severity: ClassVar[Severity] = Severity.NOTE
    requires: ClassVar[tuple[str, ...]] = ("config",)
    settled_by: ClassVar[tuple[str, ...]] = ("measurement", "config")

    def check(self, case: Case) -> Iterator[Finding]:
        """Yield one finding for all such components of an objective."""
        for objective, components in self._undeclared(case):
            keys = [dotted(case.weight_key(objective, name)) for name in components]
            yield self.finding(
                components,
                f"{listing(components)} {'has' if len(components) == 1 else 'have'} weight 1.0 because none is given",
                objective=objective,
                evidence={"weight": 1.0},
                remedy=f"Write the weight down, such as {keys[0]}: 1.0.",
                fix=dict.fromkeys(keys, 1.0),
                location=case.locate_weight(objective, components[0]),
            )

    @staticmethod
    def _undeclared(case: Case) -> Iterator[tuple[str, list[str]]]:
        """Yield objectives of several components with those that have no weight of their own."""
        if case.gradients:
            for gradients in case.gradients:
                pairs = zip(gradients.components, gradients.declared, strict=True)
                names = [name for name, declared in pairs if not declared]
                if names and len(gradients.components) > 1:
                    yield gradients.name, names
        else:
            names = [name for name, component in case.built_in.items() if component.weight is None]
            if names and len(case.built_in) > 1:
                yield "total", names
