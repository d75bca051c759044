from __future__ import annotations

from typing import ClassVar

import pytest

from lossdoctor.records import Severity
from lossdoctor.rules.base import Rule


class ToyRule(Rule):
    """A rule with an option of every type."""

    code: ClassVar[str] = "LD901"
    name: ClassVar[str] = "toy"
    severity: ClassVar[Severity] = Severity.NOTE
    share: float = 0.5
    count: int = 3
    strict: bool = True
    mode: str = "a"

    def check(self, case):
        yield from ()


@pytest.fixture
def toy_rules(monkeypatch):
    monkeypatch.setattr("lossdoctor.rules.registry", lambda: {"LD901": ToyRule})
    return {"LD901": ToyRule}
