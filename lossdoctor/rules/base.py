"""What a rule is, what it sees, and the judgements that several rules share."""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, get_origin, get_type_hints

from .. import balance
from ..config.keys import Keys, dotted
from ..records import ComponentReport, Finding, Location, ObjectiveReport, Severity

# The schema costs more to load than all rules together: what only explains rules, or judges without a config, goes
# without. A rule tells the built-in components apart by their `term`.
if TYPE_CHECKING:
    from ..baseline import ConfigBaseline
    from ..config.schema import BuiltInColorComponent, BuiltInComponent, Config, Schedule
    from ..facts.examination import Examination
    from ..facts.gradients import ObjectiveGradients
    from ..facts.operands import Operation
    from ..trial_records import Trial


class Expected(NamedTuple):
    """Orders of magnitude that a config lets expect (see `expected.py`), in the form of a measurement."""

    gradients: ObjectiveGradients
    objective: ObjectiveReport  #: the table of them


@dataclass(frozen=True)
class Case:
    """Everything a rule may look at: the config, what was measured, what a trial or a baseline says; or some."""

    config: Config | None = None
    examination: Examination | None = None
    trial: Trial | None = None
    baseline: ConfigBaseline | None = None

    @cached_property
    def objectives(self) -> tuple[ObjectiveReport, ...]:
        """The tables of all objectives; empty without a gradient measurement."""
        return tuple(balance.summarize(objective) for objective in self.gradients)

    @property
    def gradients(self) -> tuple[ObjectiveGradients, ...]:
        """What the gradient instrument measured; empty where it did not run."""
        return (self.examination.gradients or ()) if self.examination else ()

    @cached_property
    def expected(self) -> Expected | None:
        """What the config lets expect of its built-in components; None once something was measured."""
        from ..expected import expected_gradients

        gradients = expected_gradients(self.config) if self.config and self.examination is None else None
        return Expected(gradients, balance.summarize(gradients)) if gradients else None

    @property
    def built_in(self) -> Mapping[str, BuiltInComponent]:
        """The built-in components of the config, by name; empty for user code."""
        return (self.config.loss.components or {}) if self.config else {}

    def term(self, name: str) -> str | None:
        """Return the term of a built-in component, None where there is none of that name."""
        return self.built_in[name].term if name in self.built_in else None

    def color_component(self, name: str) -> BuiltInColorComponent | None:
        """Return a built-in component that compares images in a colour space, None where there is none of that name."""
        component = self.built_in.get(name)
        return component if component is not None and component.term != "perceptual" else None

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

    def declared_weight(self, objective: str, component: str) -> float | Schedule | None:
        """Return the weight that the config gives a component, None where it gives none."""
        if component in self.built_in:
            return self.built_in[component].weight
        return self._weights.get(f"{objective}.{component}", self._weights.get(component))

    def schedule(self, objective: str, component: str) -> Schedule | None:
        """Return the schedule that a component's weight follows, None where it follows none."""
        weight = self.declared_weight(objective, component)
        return None if weight is None or isinstance(weight, (int, float)) else weight

    def declared_share(self, objective: str, component: str) -> float | None:
        """Return the share of the gradient that `loss.shares` means a component to have, None where it says nothing."""
        shares = self.config.loss.shares if self.config else {}
        return shares.get(f"{objective}.{component}", shares.get(component))

    def weight_key(self, objective: str, component: str) -> Keys:
        """Return the key that holds a component's weight, or that would hold it and no other component's."""
        if component in self.built_in:
            return "loss", "components", component, "weight"
        qualified = f"{objective}.{component}"
        ambiguous = sum(component in gradients.components for gradients in self.gradients) > 1
        return "loss", "weights", qualified if qualified in self._weights or ambiguous else component

    def locate_weight(self, objective: str, component: str) -> Location | None:
        """Return where a component's weight is written, or the nearest key around it."""
        *keys, name = self.weight_key(objective, component)
        return self.locate(*keys, component if keys[-1] == "weights" and name not in self._weights else name)

    def weight_fix(self, objective: str, component: str, weight: float) -> dict[str, float] | None:
        """Return the change that gives a component another weight; None without a config to change.

        Of a schedule only the end moves: that it is a schedule was meant.
        """
        if self.config is None:
            return None
        keys = self.weight_key(objective, component)
        return {dotted((*keys, "to") if self.schedule(objective, component) else keys): weight}

    def removal_fix(self, component: str) -> dict[str, None] | None:
        """Return the change that takes a built-in component out, and what else the config says of it.

        None where the user's own code computes it.
        """
        if self.config is None or component not in self.built_in:
            return None
        loss, names = self.config.loss, (component, f"total.{component}")
        said = [("roles", name) for name in names if name in loss.roles]
        said += [("shares", name) for name in names if name in loss.shares]
        keys = [("loss", *key) for key in said]
        return {dotted(key): None for key in (("loss", "components", component), *keys)}

    @property
    def _weights(self) -> Mapping[str, float | Schedule]:
        """The weights of a loss in user code, by component or `objective.component`."""
        return self.config.loss.weights if self.config else {}


class Rule(ABC):
    """One fault that lossdoctor knows. Annotated attributes are options; the docstring is the manual page.

    A rule looks at a `Case` and yields findings. It knows no other rule: which symptom belongs to which cause is
    said by `explains` and `overshadows` and joined in `diagnose.py`.
    """

    code: ClassVar[str]
    name: ClassVar[str]
    severity: ClassVar[Severity]
    """The level of its findings; the highest one where it varies."""
    requires: ClassVar[tuple[str, ...]] = ()
    """Facts it needs: "config", "trial", "trial.floors" and the like, or a field of `Examination`. Without one of them
    it is skipped."""
    settled_by: ClassVar[tuple[str, ...]] = ("measurement",)
    """What has to be known for no finding to mean no fault: "measurement", or "config" where the config will do."""
    explains: ClassVar[tuple[str, ...]] = ()
    """Codes of symptoms that this cause accounts for on its own components."""
    overshadows: ClassVar[tuple[str, ...]] = ()
    """Codes of symptoms that this cause accounts for on the other components of the objective."""

    def __init__(self, **options: Any) -> None:
        """Take other values for some of the options. Raises TypeError for an option that the rule does not have."""
        if unknown := options.keys() - self.options().keys():
            message = f"{self.code} has no option {listing(sorted(unknown))}"
            raise TypeError(message)
        vars(self).update(options)

    @abstractmethod
    def check(self, case: Case) -> Iterator[Finding]:
        """Yield a finding for every fault in the case."""

    def check_expected(self, case: Case, expected: Expected) -> Iterator[Finding]:
        """Yield what the config of built-in components settles or lets expect, where nothing was measured.

        A rule that can say something about it does so by overriding this; the others are skipped.
        """
        raise NotImplementedError

    @classmethod
    @cache
    def options(cls) -> Mapping[str, tuple[Any, Any]]:
        """Return the type and the default of every option by its name."""
        hints = get_type_hints(cls)
        return {name: (kind, getattr(cls, name)) for name, kind in hints.items() if get_origin(kind) is not ClassVar}

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


class Limits(NamedTuple):
    """From which joint share on, or below which share that they leave to another, components are a cause of harm."""

    error: tuple[float, float]
    warning: tuple[float, float]
    verb: str  #: how the share is known: "hold", "can be expected to hold"


MEASURED = Limits(error=(0.99, 0.001), warning=(0.95, 0.005), verb="hold")

#: Expected numbers may be off by a factor of ten, so that an error takes a ratio of 1000 to the next, a warning of 100.
EXPECTED = Limits(error=(0.999, 0.001), warning=(0.99, 0.005), verb="can be expected to hold")


class Effect(NamedTuple):
    """What the components of one cause do to the rest of their objective."""

    severity: Severity
    share: float | None  #: of the gradient, joint; None where no balance can be judged
    smallest: ComponentReport | None  #: the component outside the cause with the least gradient
    verb: str = MEASURED.verb

    def describe(self, components: Collection[str]) -> str:
        """Return what the components of the cause do as the end of a sentence, empty where nothing is known."""
        if self.share is None:
            return ""
        verb = "holds" if self.verb == "hold" and len(components) == 1 else self.verb
        text = f": {'it' if len(components) == 1 else 'together they'} {verb} {percent(self.share)} of the gradient"
        if self.smallest is not None:
            text += f", which leaves {self.smallest.name} {percent(self.smallest.grad_share or 0.0)}"
        return text


def effect_of(objective: ObjectiveReport, names: Collection[str], limits: Limits = MEASURED) -> Effect:
    """Judge a cause by its effect, which was measured unless the `limits` say that it is expected.

    Error where the components hold, together, ≥ 99 % of the gradient or leave another component that can be judged
    (see `rivals`) below 0.1 %; warning at ≥ 95 % or below 0.5 %; else a note. Without such a component outside the
    cause there is nobody to be harmed: a note.
    """
    inside = [component.grad_share for component in objective.components if component.name in names]
    outside = [component for component in rivals(objective) if component.name not in names]
    shares = [share for share in inside if share is not None]
    share = sum(shares) if shares else None
    if share is None or not outside:
        return Effect(Severity.NOTE, share, None, limits.verb)
    smallest = min(outside, key=lambda component: component.grad_share or 0.0)
    if _is_harmful(limits.error, share, outside):
        severity = Severity.ERROR
    else:
        severity = Severity.WARNING if _is_harmful(limits.warning, share, outside) else Severity.NOTE
    return Effect(severity, share, smallest, limits.verb)


def _is_harmful(limits: tuple[float, float], share: float, outside: Collection[ComponentReport]) -> bool:
    most, least = limits
    return share >= most or _leaves_below(least, share, outside)


def _leaves_below(limit: float, share: float, outside: Collection[ComponentReport]) -> bool:
    """Whether a component is below the limit because of what holds `share`: without it, it would not be."""
    remaining = [component.grad_share or 0.0 for component in outside]
    return any(other < limit and other >= limit * (1 - share) for other in remaining)


def rivals(objective: ObjectiveReport) -> list[ComponentReport]:
    """Return the components whose balance can be judged: with a share above zero, and no regularizer.

    A share of exactly zero has reasons of its own, and no other component's weight or unit is among them: a weight of
    0 (LD506), a gradient that vanishes (LD502), a zero-initialised layer that lets none through until it has moved.
    """
    return [component for component in objective.components if component.grad_share and component.role != "regularizer"]


def percent(share: float) -> str:
    """Return a share as a percentage: 0.031 %, 23 %, 98.4 %, 99.97 %."""
    if share >= 1:
        return "100 %"
    if share > 0.99:
        return ">99.99 %" if share > 0.9999 else f"{100 * share:.2f} %"
    return f"{100 * share:.3g} %" if share >= 0.9 else f"{100 * share:.2g} %"


def listing(names: Collection[str]) -> str:
    """Return names as prose: "lab", "lab and ab", "a, b and c"."""
    *head, last = names
    return f"{', '.join(head)} and {last}" if head else last
