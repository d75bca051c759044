"""LD905: the balance is no longer the one of the baseline."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from ..baseline import ConfigBaseline, declared_components, declared_loss, shares_of
from ..config.display import shown
from ..expected import expected_size
from ..records import Finding, Location, Severity
from .base import Case, Rule, percent

if TYPE_CHECKING:
    from ..config.schema import Config

_REMEDY = "Undo the change, or accept it with --update-baseline."

#: What is declared, before and now, by key.
Quantities = Mapping[str, tuple[Any, Any]]


class _Side(NamedTuple):
    """What is known of the components at one time."""

    components: Mapping[str, Mapping[str, Any]]  #: what is declared
    shares: Mapping[str, float]  #: measured; empty where nothing was

    @property
    def names(self) -> list[str]:
        """The components, by their own name or by `objective.component`."""
        measured = {name.rpartition(".")[2] for name in self.shares}
        return [*self.shares, *(name for name in self.components if name not in measured and name not in self.shares)]

    def declared(self, name: str) -> Mapping[str, Any]:
        """Return what is declared for a component."""
        return self.components.get(name, self.components.get(name.rpartition(".")[2], {}))


class _Change(NamedTuple):
    """What became different about one component."""

    name: str
    quantities: Quantities
    shares: tuple[float, float] | None  #: of the gradient, measured, before and now
    ratio: float | None  #: of share or expected gradient to what it was; None where that cannot be told

    def matters(self, tolerance: float) -> bool:
        """Whether there is anything to say about it."""
        return bool(self.quantities) or self._is_off(tolerance)

    def severity(self, tolerance: float) -> Severity:
        """Return an error where the change is known to be large, a note where it is known to be small."""
        before, now = self.quantities.get("weight", (None, None))
        flipped = isinstance(before, float) and isinstance(now, float) and before * now < 0
        if flipped or self._is_off(tolerance):
            return Severity.ERROR
        return Severity.WARNING if self.ratio is None else Severity.NOTE

    def describe(self, component: str) -> str:
        """Return what changed and what that does."""
        changed = f"{component} is not what it was in the baseline: {_listed(self.quantities)}"
        if self.shares:
            before, now = map(percent, self.shares)
            effect = f"share of the gradient was {before} in the baseline and is {now}"
            return f"{changed}; its {effect}" if self.quantities else f"the {effect} for {component}"
        if self.ratio is None:
            return changed
        times = f"{self.ratio:,.0f}" if self.ratio >= 100 else f"{self.ratio:.2g}"
        return f"{changed}; a gradient of about {times} times what it was can be expected"

    def _is_off(self, tolerance: float) -> bool:
        return self.ratio is not None and not 1 / tolerance <= self.ratio <= tolerance


class OffBaseline(Rule):
    """A component is not what it was when the baseline was written, or has another share of the gradient.

    `lossdoctor check --baseline FILE` compares what a config declares for every component (weight, term, space,
    normalisation, reduction, …) and, with `--measure`, its share of the gradient with what
    `--update-baseline` wrote down. An edit that looks harmless in a review shows as what it does to the balance.

    An error where the share, or where it was not measured the gradient that can be expected of the component, is more
    than `loss.tolerance` (3) times as large or small as it was, where the sign of a weight changed, or where a
    component is gone: the baseline is an intent that was written down. A note where it stays within that; a warning
    where the effect of a change cannot be told, and for a component that is new. Comments, the order of keys and
    defaults that are written out are no change.

    Remedy: undo the change, or accept it with `--update-baseline`.

    Options: `nothing` (0.005): shares below it may change as they like.
    """

    code: ClassVar[str] = "LD905"
    name: ClassVar[str] = "off-baseline"
    severity: ClassVar[Severity] = Severity.ERROR
    requires: ClassVar[tuple[str, ...]] = ("config",)
    settled_by: ClassVar[tuple[str, ...]] = ("measurement", "config")

    nothing: float = 0.005

    def check(self, case: Case) -> Iterator[Finding]:
        """Yield a finding for every component that is gone, new or changed, and one for the loss as a whole."""
        if case.baseline is None or case.config is None:
            return
        then, now = _sides(case.baseline, case.config, case)
        # Which components the user's code returns is known once it has run: until then, a name is but a weight's.
        open_end = case.config.loss.components is None and not now.shares
        for name in then.names:
            if name not in now.names and not open_end:
                yield self._came_or_went(case, name, "removed", Severity.ERROR)
        for name in dict.fromkeys([*now.names, *(then.names if open_end else ())]):
            if name not in then.names and not open_end:
                yield self._came_or_went(case, name, "added", Severity.WARNING)
            elif (change := _change(case.config, name, then, now, self.nothing)).matters(case.config.loss.tolerance):
                yield self._changed(case, change)
        if case.baseline.loss != (loss := declared_loss(case.config)):
            yield self._of_the_loss(case, _differences(case.baseline.loss, loss))

    def _came_or_went(self, case: Case, name: str, verb: str, severity: Severity) -> Finding:
        objective, component = _split(case, name)
        return self.finding(
            [component],
            f"{component} was {verb} since the baseline was written",
            objective=objective,
            severity=severity,
            evidence={"quantity": "component", "since the baseline": verb},
            remedy=_REMEDY,
            location=case.locate_component(component) if verb == "added" else case.locate("loss", "components"),
        )

    def _changed(self, case: Case, change: _Change) -> Finding:
        objective, component = _split(case, change.name)
        evidence: dict[str, Any] = {key: {"before": a, "now": b} for key, (a, b) in change.quantities.items()}
        if change.shares:
            evidence["grad_share"] = {"before": change.shares[0], "now": change.shares[1]}
            evidence["baseline_measured_with"] = dict(case.baseline.environment) if case.baseline else {}
        elif change.ratio is not None:
            evidence["expected_ratio"] = change.ratio
        return self.finding(
            [component],
            change.describe(component),
            objective=objective,
            severity=change.severity(case.config.loss.tolerance if case.config else 1.0),
            evidence=evidence,
            remedy=_REMEDY,
            location=_locate(case, objective, component, change),
        )

    def _of_the_loss(self, case: Case, quantities: Quantities) -> Finding:
        components = [_split(case, name)[1] for name in declared_components(case.config)] if case.config else []
        return self.finding(
            list(dict.fromkeys(components)),
            f"the loss is not that of the baseline: {_listed(quantities)}",
            severity=Severity.WARNING,
            evidence={key: {"before": a, "now": b} for key, (a, b) in quantities.items()},
            remedy=_REMEDY,
            location=case.locate("loss", next(iter(quantities))),
        )


def _sides(baseline: ConfigBaseline, config: Config, case: Case) -> tuple[_Side, _Side]:
    """Return what is known of both sides; shares only where both were measured."""
    shares = shares_of(case.objectives)
    both = bool(baseline.shares and shares)
    return (
        _Side(baseline.components, _flat(baseline.shares) if both else {}),
        _Side(declared_components(config), _flat(shares) if both else {}),
    )


def _flat(shares: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    """Return shares by component, or by `objective.component` where there are several objectives."""
    several = len(shares) > 1
    return {
        f"{objective}.{name}" if several else name: share
        for objective, group in shares.items()
        for name, share in group.items()
    }


def _change(config: Config, name: str, then: _Side, now: _Side, nothing: float) -> _Change:
    before, after = then.declared(name), now.declared(name)
    quantities = _differences(before, after)
    shares = (then.shares[name], now.shares[name]) if name in then.shares and name in now.shares else None
    if shares:
        ratio: float | None = max(shares[1], nothing) / max(shares[0], nothing)
    else:
        ratio = _expected_ratio(config, before, after)
    return _Change(name, quantities, shares, ratio)


def _expected_ratio(config: Config, before: Mapping[str, Any], after: Mapping[str, Any]) -> float | None:
    """Return the expected gradient over what it was; None where that cannot be told, or does not show the change."""
    was, is_now = expected_size(before, config), expected_size(after, config)
    if was is None or is_now is None or was == is_now:
        return None
    return is_now / was if was else math.inf


def _differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> Quantities:
    keys = dict.fromkeys([*before, *after])
    return {key: (before.get(key), after.get(key)) for key in keys if before.get(key) != after.get(key)}


def _listed(quantities: Quantities) -> str:
    return ", ".join(f"{key} from {shown(a)} to {shown(b)}" for key, (a, b) in quantities.items())


def _split(case: Case, name: str) -> tuple[str, str]:
    """Return objective and component of a name as it is declared."""
    objective, dot, component = name.partition(".")
    if name in case.built_in or not dot:
        owners = [gradients.name for gradients in case.gradients if name in gradients.components]
        return (owners[0] if len(owners) == 1 else "total"), name
    return objective, component


def _locate(case: Case, objective: str, component: str, change: _Change) -> Location | None:
    key = next(iter(change.quantities), "weight")
    if component in case.built_in and key not in ("role", "share"):
        return case.locate("loss", "components", component, key)
    return case.locate_weight(objective, component)
