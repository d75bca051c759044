"""What `fix` came to: the changes, why each was made, and the same batches before and after."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..records import Finding, Report, Severity, Verdict
from .comparison import Outcome
from .proof import Proof
from .source_patch import SourcePatch, unified_diff

#: Findings about the balance itself: weights settle them, all at once, after the causes are cured.
BALANCE = frozenset({"LD101", "LD102", "LD105"})


#: The name of a cure that balances the components.
WEIGHTS = "weights"


@dataclass(frozen=True)
class Cure:
    """A change of the config that was measured to help."""

    name: str  #: code and name of the rule whose finding it cures, or WEIGHTS
    objective: str
    components: tuple[str, ...]
    reason: str  #: what the finding said, or the numbers that each weight follows from
    old: Mapping[str, Any]  #: dotted key -> value before; a key that was not written is missing
    new: Mapping[str, Any]  #: dotted key -> value after; None takes the key out


@dataclass(frozen=True)
class Prescription:
    """A changed config and what the change does."""

    path: Path
    text: str  #: of the config as it is
    fixed: str  #: of the config with all cures; the same text where there is nothing to change
    before: Report
    after: Report
    cures: tuple[Cure, ...]
    overrides: tuple[str, ...] = ()  #: what was measured differs from the file in this
    patches: tuple[SourcePatch, ...] = ()  #: changes of the user's own code that were measured to help, not made
    patched: tuple[SourcePatch, ...] = ()  #: those that were made
    proof: Proof | None = None  #: of both configs trained side by side, where that was asked for
    warnings: tuple[str, ...] = ()  #: where gradient shares do not stay what the weights were set for
    written: Path | None = None  #: the file that has the changed config now

    @property
    def diff(self) -> str:
        """The change as a unified diff; empty where there is none."""
        return unified_diff(self.text, self.fixed, str(self.path))

    @property
    def has_errors(self) -> bool:
        """Whether errors are left."""
        return self.after.verdict is Verdict.FAIL

    @property
    def is_refuted(self) -> bool:
        """Whether a trial was to prove that the change helps, and did not."""
        return self.proof is not None and self.proof.outcome is not Outcome.PROVED

    @property
    def verdict(self) -> Verdict:
        """That of the report on the changed config; fail where the change was to be proved and is not."""
        return Verdict.FAIL if self.is_refuted else self.after.verdict

    @property
    def rebalanced(self) -> bool:
        """Whether weights were set to balance the components."""
        return any(cure.name == WEIGHTS for cure in self.cures)

    @property
    def cured(self) -> tuple[Finding, ...]:
        """Errors and warnings that are gone."""
        return _missing_from(self.after, complaints(self.before))

    @property
    def left(self) -> tuple[Finding, ...]:
        """Errors and warnings that are still there."""
        return tuple(finding for finding in complaints(self.after) if finding not in self.arisen)

    @property
    def arisen(self) -> tuple[Finding, ...]:
        """Errors and warnings that were not there before."""
        return _missing_from(self.before, complaints(self.after))


def complaints(report: Report) -> tuple[Finding, ...]:
    """Return the errors and warnings of a report."""
    return tuple(finding for finding in report.findings if finding.severity.at_least(Severity.WARNING))


def identity(finding: Finding) -> tuple[str, str, tuple[str, ...]]:
    """Return what makes two findings the same fault, whatever their numbers are."""
    return finding.code, finding.objective, finding.components


def _missing_from(report: Report, findings: tuple[Finding, ...]) -> tuple[Finding, ...]:
    known = set(map(identity, complaints(report)))
    return tuple(finding for finding in findings if identity(finding) not in known)
