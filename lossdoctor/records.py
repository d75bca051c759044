"""What rules find and reports show, as frozen records of plain numbers and strings.

Instruments write facts (`facts/`), rules read facts and write findings, reports read findings.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .trial_records import Trial


class Severity(str, Enum):
    """SARIF's levels."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"

    @property
    def rank(self) -> int:
        """0 for the most severe, so that sorting puts errors first."""
        return _RANKS[self]

    def at_least(self, other: Severity) -> bool:
        """Whether this is as severe as `other` or more."""
        return self.rank <= other.rank


_RANKS = {severity: rank for rank, severity in enumerate(Severity)}


@dataclass(frozen=True)
class Location:
    """A place in a user's file: a key of the config, or a line of Python."""

    file: str
    line: int  #: 1-based; 0 for the file as a whole
    column: int = 1  #: 1-based


@dataclass(frozen=True)
class Finding:
    """A fault, or a note: which components, what the cause is, what was measured, what to do."""

    code: str
    name: str
    severity: Severity
    objective: str
    components: tuple[str, ...]
    message: str
    evidence: Mapping[str, Any] = field(default_factory=dict)
    remedy: str = ""
    explained_by: str | None = None  #: code of the finding that accounts for this one
    fix: Mapping[str, Any] | None = None  #: config key -> new value; None takes the key out
    location: Location | None = None


@dataclass(frozen=True)
class Skipped:
    """A rule that could not be evaluated. Skipped is not passed."""

    code: str
    reason: str


@dataclass(frozen=True)
class Spread:
    """Relative standard deviations over the batches."""

    value: float | None
    grad_norm: float | None


@dataclass(frozen=True)
class ComponentReport:
    """One row of the table. Norms are L2 over the measured parameters, means over the batches; None is "not finite"."""

    name: str
    weight: float
    role: str | None
    value: float | None
    weighted_value: float | None
    value_share: float | None
    grad_norm: float | None
    weighted_grad_norm: float | None
    grad_share: float | None
    output_grad_norm: float | None
    cosine_to_total: float | None
    spread: Spread
    attached: bool
    finite: bool


@dataclass(frozen=True)
class Cosine:
    """The cosine between the gradients of two components, mean over the batches."""

    a: str
    b: str
    cosine: float | None


@dataclass(frozen=True)
class ObjectiveReport:
    """One total and its components."""

    name: str
    value: float | None
    grad_norm: float | None
    components: tuple[ComponentReport, ...]
    cosines: tuple[Cosine, ...]

    def component(self, name: str) -> ComponentReport | None:
        """Return the row of one component."""
        return next((component for component in self.components if component.name == name), None)


@dataclass(frozen=True)
class Failure:
    """Something that kept a config from being used: what `lossdoctor` says when it exits 2."""

    message: str  #: "expected a number, found text", or what went wrong while the setup was built or measured
    key: str = ""  #: dotted path of the config key; "" where it is not about one
    advice: str = ""
    location: Location | None = None


class Verdict(str, Enum):
    """What the report comes down to, from best to worst: neither, warnings only, errors, or a config of no use."""

    PASS = "pass"  # noqa: S105 - not a password
    WARN = "warn"
    FAIL = "fail"
    ERROR = "error"

    @property
    def rank(self) -> int:
        """0 for the best, so that the verdict on several reports is the greatest."""
        return list(Verdict).index(self)


@dataclass(frozen=True)
class Report:
    """What a command found: the measurements worth showing, and the judgement."""

    command: str
    config: str
    verdict: Verdict
    objectives: tuple[ObjectiveReport, ...]
    findings: tuple[Finding, ...]
    skipped: tuple[Skipped, ...]
    environment: Mapping[str, Any]
    trial: Trial | None = None
    version: str = ""
    failures: tuple[Failure, ...] = ()  #: why the config could not be used; the findings may then be incomplete
    known: int = 0  #: findings that the baseline has accepted for this config, and that are not among `findings`
