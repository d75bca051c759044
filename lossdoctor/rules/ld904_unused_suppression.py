"""LD904: an acceptance of findings that accepts none."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar

from ..config.suggest import did_you_mean
from ..records import Finding, Severity
from .base import Case, Rule

if TYPE_CHECKING:
    from ..suppression import Acceptance


class UnusedSuppression(Rule):
    """A finding is accepted that is not there: by a comment, in `rules.ignore`, or in a baseline.

    `# lossdoctor: ignore LD201, LD106` at the end of a line accepts findings with these codes at the key on that line
    and at all keys below it; of a finding about several components, at the line of each will do. `rules.ignore` turns a
    rule off for the whole config. A baseline holds what was there when it was written. Each of them hides the next
    finding of its kind as well, so it should go once it is of no use: a note.

    Nothing is said of a rule that could not be evaluated: a static check cannot know what a measurement will find.

    Remedy: remove it. `lossdoctor check --update-baseline` renews a baseline.
    """

    code: ClassVar[str] = "LD904"
    name: ClassVar[str] = "unused-suppression"
    severity: ClassVar[Severity] = Severity.NOTE
    requires: ClassVar[tuple[str, ...]] = ("config",)
    settled_by: ClassVar[tuple[str, ...]] = ("measurement", "config")

    def check(self, case: Case) -> Iterator[Finding]:
        """Yield a finding for every comment that can never accept anything."""
        lines = {place.line for place in case.config.positions.values()} if case.config else set()
        for comment in case.config.suppressions if case.config else ():
            fault = None
            if not comment.codes:
                fault = "the comment names no rule, so it accepts nothing"
            elif comment.location.line not in lines:
                fault = "the comment stands on a line without a key, so it accepts nothing"
            if fault:
                yield self.finding(
                    [],
                    fault,
                    objective="",
                    evidence={"line": comment.location.line, "codes": list(comment.codes)},
                    remedy="Write `# lossdoctor: ignore LD201` behind a key, with the codes to accept there.",
                    location=comment.location,
                )

    def unused(self, acceptance: Acceptance, known: bool) -> Finding:
        """Return the finding for an acceptance of nothing, or of a code that is not `known`."""
        from . import registry

        advice = "" if known else did_you_mean(acceptance.code, registry())
        what = f"{acceptance.code}, which is not found" if known else f"{acceptance.code}, which is no rule"
        return self.finding(
            acceptance.components,
            f"{acceptance.where} accepts {what}",
            objective=acceptance.objective,
            evidence={"accepted": acceptance.code},
            remedy=f"{advice[:1].upper()}{advice[1:]} Remove it.".strip()
            if acceptance.where != "the baseline"
            else "Renew the baseline with --update-baseline.",
            location=acceptance.location,
        )
