"""LD801: a checkpoint that does not fit the model."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar

from ..records import Finding, Severity
from .base import Case, Rule

if TYPE_CHECKING:
    from ..facts.checkpoint import CheckpointFacts


class CheckpointMismatch(Rule):
    """The checkpoint and the model disagree on names or shapes, so part of the model is not what was trained.

    Weights that are missing from the checkpoint keep their random initial values: everything measured afterwards,
    and everything trained from there, starts from a different model than intended. With `model.strict: true` (the
    default) this is an error, else a warning. Prefixes that wrappers add (`module.`, `_orig_mod.`, `model.`) are
    matched and no fault.

    Remedy: give the model the arguments it was trained with, or the checkpoint that belongs to it. Near-matches show
    renamed layers.
    """

    code: ClassVar[str] = "LD801"
    name: ClassVar[str] = "checkpoint-mismatch"
    severity: ClassVar[Severity] = Severity.ERROR
    requires: ClassVar[tuple[str, ...]] = ("checkpoint",)

    def check(self, case: Case) -> Iterator[Finding]:
        """Yield one finding for all keys that do not fit."""
        facts = case.examination.checkpoint if case.examination else None
        if facts is None or not (facts.missing or facts.unexpected or facts.reshaped):
            return
        yield self.finding(
            dict.fromkeys(component.name for objective in case.objectives for component in objective.components),
            f"{facts.path} does not fit the model: {self._counts(facts)}; {facts.loaded} tensors were loaded, "
            "what is missing keeps its random initial values",
            objective=case.objectives[0].name if len(case.objectives) == 1 else "",
            severity=Severity.ERROR if facts.strict else Severity.WARNING,
            evidence={
                "layout": facts.layout,
                "missing": list(facts.missing[:10]),
                "unexpected": list(facts.unexpected[:10]),
                "reshaped": {
                    mismatch.key: f"model {mismatch.expected}, checkpoint {mismatch.found}"
                    for mismatch in facts.reshaped[:10]
                },
                "near": dict(list(facts.near.items())[:10]),
            },
            remedy="Use the model arguments that the checkpoint was trained with, or the checkpoint that belongs to "
            "this model; model.strict: false makes this a warning.",
            location=case.locate("model", "checkpoint"),
        )

    @staticmethod
    def _counts(facts: CheckpointFacts) -> str:
        counts = {
            "missing": facts.missing,
            "unexpected": facts.unexpected,
            "of another shape": facts.reshaped,
        }
        return ", ".join(f"{len(keys)} {what}" for what, keys in counts.items() if keys)
