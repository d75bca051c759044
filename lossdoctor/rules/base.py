"""What a rule is, what it sees, and the judgements that several rules share."""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

from .. import balance
from ..config.schema import BuiltInComponent, Config
from ..records import (
    ComponentReport,
    Examination,
    Finding,
    Location,
    ObjectiveGradients,
    ObjectiveReport,
    Operation,
    Severity,
)


@dataclass(frozen=True)
class Case:
    """Everything a rule may look at: the config, what was measured, what a trial showed. Any of them may be absent."""

    config: Config | None = None
    examination: Examination | None = None
    trial: None = None

    @cached_property
    def objectives(self) -> tuple[ObjectiveReport, ...]:
        """The tables of all objectives; empty without a gradient measurement."""
        return tuple(balance.summarize(objective) for objective in self.gradients)

    @property
    def gradients(self) -> tuple[ObjectiveGradients, ...]:
        """What the gradient instrument measured; empty where it did not run."""
        return (self.examination.gradients or ()) if self.examination else ()

    @property
    def built_in(self) -> Mapping[str, BuiltInComponent]:
        """The built-in components of the config, by name; empty for user code."""
        return (self.config.loss.components or {}) if self.config else {}

    def locate(self, *keys: str) -> Location | None:
        """Return where a key of the config is written, or the nearest key around it."""
        return self.config.locate(*keys) if self.config else None

    def locate_component(self, component: str) -> Location | None:
        """Return where a built-in component is written, or the key that names the user's loss."""
        if self.config is None or component in self.built_in:
            return self.locate("loss", "components", component)
        return self.locate("loss", "step" if self.config.loss.step else "function")

    def operations(self, objective: str, component: str) -> list[Operation]:
        """Return the traced operations that ended up in a component; empty where the loss was not traced."""
        traced = (self.examination.operations if self.examination else None) or ()
        return [operation for operation in traced if f"{objective}.{component}" in operation.components]

    def locate_weight(self, objective: str, component: str) -> tuple[tuple[str, ...], Location | None]:
        """Return the key that holds a component's weight, written or to be written, and its place."""
        if component in self.built_in:
            keys = ("loss", "components", component, "weight")
        else:
            declared = self.config.loss.weights if self.config else {}
            qualified = f"{objective}.{component}"
            keys = ("loss", "weights", qualified if qualified in declared else component)
        return keys, self.locate(*keys)


@dataclass(frozen=True)
class Rule(ABC):
    """One fault that lossdoctor knows. Annotated fields are options; the docstring is the manual page.

    A rule looks at a `Case` and yields findings. It knows no other rule: which symptom belongs to which cause is said by
    `explains` and `overshadows` and joined in `diagnose.py`.
    """

    code: ClassVar[str]
    name: ClassVar[str]
    severity: ClassVar[Severity]
    """The level of its findings; the highest one where it varies."""
    requires: ClassVar[tuple[str, ...]] = ()
    """Facts it needs: "config", "trial", or a field of `Examination`. Without one of them it is skipped."""
    explains: ClassVar[tuple[str, ...]] = ()
    """Codes of symptoms that this cause accounts for on its own components."""
    overshadows: ClassVar[tuple[str, ...]] = ()
    """Codes of symptoms that this cause accounts for on the other components of the objective."""

    @abstractmethod
    def check(self, case: Case) -> Iterator[Finding]:
        """Yield a finding for every fault in the case."""

    @classmethod
    def manual(cls) -> str:
        """Return the manual page: the docstring, without its indentation."""
        return inspect.cleandoc(cls.__dict__.get("__doc__") or "")

    def finding(
        self,
        components: Collection[str],
        message: str,
        *,
        objective: str = "total",
        severity: Severity | None = None,
        evidence: Mapping[str, Any] | None = None,
        remedy: str = "",
        fix: Mapping[str, Any] | None = None,
        location: Location | None = None,
    ) -> Finding:
        """Return a finding of this rule."""
        return Finding(
            code=self.code,
            name=self.name,
            severity=self.severity if severity is None else severity,
            objective=objective,
            components=tuple(components),
            message=message,
            evidence=evidence or {},
            remedy=remedy,
            fix=fix,
            location=location,
        )


@dataclass(frozen=True)
class Effect:
    """What the components of one cause do to the rest of their objective."""

    severity: Severity
    share: float | None  #: of the gradient, joint; None where no balance can be judged
    smallest: ComponentReport | None  #: the component outside the cause with the least gradient

    def describe(self) -> str:
        """Return the effect as the end of a sentence, empty where there is none."""
        if self.share is None:
            return ""
        text = f"together {percent(self.share)} of the gradient"
        if self.smallest is not None and self.smallest.grad_share is not None:
            text += f", {self.smallest.name} is left with {percent(self.smallest.grad_share)}"
        return text


def effect_of(objective: ObjectiveReport, names: Collection[str]) -> Effect:
    """Judge a cause by its measured effect, as the contract's level C does.

    Error where the components hold ≥ 99 % of the gradient together, or leave an attached component that is no regularizer
    below 0.1 %; warning at ≥ 95 % or below 0.5 %; else a note. Without such a component outside the cause there is nobody to
    be harmed: a note.
    """
    inside = [component.grad_share for component in objective.components if component.name in names]
    outside = [component for component in rivals(objective) if component.name not in names]
    shares = [share for share in inside if share is not None]
    if not shares or not outside:
        return Effect(Severity.NOTE, sum(shares) if shares else None, None)
    share = sum(shares)
    smallest = min(outside, key=lambda component: component.grad_share or 0.0)
    least = smallest.grad_share or 0.0
    if share >= 0.99 or least < 0.001:
        severity = Severity.ERROR
    elif share >= 0.95 or least < 0.005:
        severity = Severity.WARNING
    else:
        severity = Severity.NOTE
    return Effect(severity, share, smallest)


def rivals(objective: ObjectiveReport) -> list[ComponentReport]:
    """Return the components whose balance can be judged: with a weight, a finite share, and no regularizer."""
    return [
        component
        for component in objective.components
        if component.weight != 0 and component.grad_share is not None and component.role != "regularizer"
    ]


def percent(share: float) -> str:
    """Return a share as a percentage with two significant digits: 99.97 %, 23 %, 0.031 %."""
    if share > 0.99 and share < 1:
        return f"{100 * share:.2f} %" if share <= 0.9999 else "> 99.99 %"
    return f"{100 * share:.2g} %" if share < 0.995 else "100 %"


def dotted(*keys: str) -> str:
    """Return the path of a config key as --set takes it; a key that holds a dot is quoted."""
    return ".".join(f'"{key}"' if "." in key else key for key in keys)


def listing(names: Collection[str]) -> str:
    """Return names as prose: "lab", "lab and ab", "a, b and c"."""
    *head, last = names
    return f"{', '.join(head)} and {last}" if head else last
