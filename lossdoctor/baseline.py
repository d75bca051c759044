"""A baseline: what was declared, found and measured when somebody looked at it and said that it is all right.

Plain records, kept as JSON by `checking/baseline_file.py`. Numbers have few digits, so that a change is easy to review.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from .losses.spaces import selected_channels
from .records import Finding, ObjectiveReport, Report, Severity

if TYPE_CHECKING:
    from .config.schema import BuiltInComponent, Config

#: What is about the acceptance of findings, and not about the loss.
ABOUT_ACCEPTANCE = ("LD904", "LD905")

#: Circumstances of a measurement on which its numbers depend.
_CIRCUMSTANCES = ("torch", "device", "precision", "mode", "seed", "batches")

_STRICT: Mapping[str, Any] = {"extra": "forbid"}


@dataclass(frozen=True)
class KnownFinding:
    """A finding that was there already."""

    __pydantic_config__: ClassVar[Mapping[str, Any]] = _STRICT

    code: str
    severity: Severity
    objective: str
    components: tuple[str, ...]

    def accepts(self, finding: Finding) -> bool:
        """Whether a finding is this one, and no worse than it was."""
        same = (finding.code, finding.objective) == (self.code, self.objective)
        # In any order: that of the keys in a config says nothing.
        return same and set(finding.components) == set(self.components) and self.severity.at_least(finding.severity)


@dataclass(frozen=True)
class ConfigBaseline:
    """The baseline of one config."""

    __pydantic_config__: ClassVar[Mapping[str, Any]] = _STRICT

    components: dict[str, dict[str, Any]]  #: what is declared for each: every key that decides how large it is
    loss: dict[str, Any]  #: what is declared for all of them: the user's function or step, the tolerance
    findings: tuple[KnownFinding, ...] = ()
    shares: dict[str, dict[str, float]] = field(default_factory=dict)
    """Measured shares of the gradient, by objective and component; empty where nothing was measured."""
    environment: dict[str, Any] = field(default_factory=dict)  #: device and versions that they were measured with


def baseline_of(config: Config, report: Report) -> ConfigBaseline:
    """Return the baseline that accepts a config as it is."""
    known = [
        KnownFinding(finding.code, finding.severity, finding.objective, tuple(sorted(finding.components)))
        for finding in report.findings
        if finding.code not in ABOUT_ACCEPTANCE
    ]
    environment = {key: value for key, value in report.environment.items() if key in _CIRCUMSTANCES}
    return ConfigBaseline(
        components=declared_components(config),
        loss=declared_loss(config),
        findings=in_order(known),
        shares=shares_of(report.objectives),
        environment=environment | ({"lossdoctor": report.version} if environment else {}),
    )


def in_order(findings: Iterable[KnownFinding]) -> tuple[KnownFinding, ...]:
    """Return findings in an order that depends on nothing else."""
    return tuple(sorted(findings, key=lambda finding: (finding.code, finding.objective, finding.components)))


def declared_components(config: Config) -> dict[str, dict[str, Any]]:
    """Return what a config declares for each component, with defaults filled in: a default written out is no change.

    With the loss in the user's code, for each component that has a weight, a role or a share.
    """
    loss = config.loss
    if loss.components is not None:
        settings = {name: _settings(component) for name, component in loss.components.items()}
    else:
        weights = loss.model_dump(by_alias=True, include={"weights"})["weights"]
        names = dict.fromkeys([*loss.weights, *loss.roles, *loss.shares])
        settings = {name: {"weight": weights.get(name)} for name in names}
    return {name: {**of_component, **_intent(config, name)} for name, of_component in settings.items()}


def _settings(component: BuiltInComponent) -> dict[str, Any]:
    settings = component.model_dump(by_alias=True)
    if component.term != "perceptual":
        chosen = selected_channels(component.space, component.channels)
        settings["channels"] = sorted((channel.letter for channel in chosen), key=str.lower)
    return settings


def _intent(config: Config, name: str) -> dict[str, Any]:
    tables: Mapping[str, Mapping[str, Any]] = {"role": config.loss.roles, "share": config.loss.shares}
    found = {key: table.get(name, table.get(f"total.{name}")) for key, table in tables.items()}
    return {key: value for key, value in found.items() if value is not None}


def declared_loss(config: Config) -> dict[str, Any]:
    """Return what a config declares for all components together."""
    return config.loss.model_dump(include={"function", "step", "total", "tolerance"}, exclude_none=True)


def shares_of(objectives: Iterable[ObjectiveReport]) -> dict[str, dict[str, float]]:
    """Return the measured shares of the gradient with four digits, without those that are not known."""
    return {
        objective.name: {c.name: float(f"{c.grad_share:.4g}") for c in objective.components if c.grad_share is not None}
        for objective in objectives
    }
