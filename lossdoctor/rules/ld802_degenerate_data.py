"""LD802: samples that cannot teach anything."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from ..records import Finding, Severity
from .base import Case, Rule


@dataclass(frozen=True)
class DegenerateData(Rule):
    """Files of the data set could not be read, so they were left out.

    A truncated download or a text file named .jpg stops some training loops after hours, and is skipped silently by others.

    Remedy: replace or remove the files.
    """

    code: ClassVar[str] = "LD802"
    name: ClassVar[str] = "degenerate-data"
    severity: ClassVar[Severity] = Severity.WARNING
    requires: ClassVar[tuple[str, ...]] = ("data",)

    def check(self, case: Case) -> Iterator[Finding]:
        """Yield one finding for all files that could not be read."""
        data = case.examination.data if case.examination else None
        if data is None or not data.unreadable:
            return
        first = data.unreadable[0]
        others = f" and {len(data.unreadable) - 1} more" if len(data.unreadable) > 1 else ""
        yield self.finding(
            [],
            f"{first.file}{others} could not be read ({first.reason}) and was left out",
            objective="",
            evidence={sample.file: sample.reason for sample in data.unreadable[:10]},
            remedy="Replace or remove the files.",
            location=case.locate("data", "images"),
        )
