from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import pytest


@dataclass(frozen=True)
class ToyRule:
    """A rule with an option of every type."""

    code: ClassVar[str] = "LD901"
    name: ClassVar[str] = "toy"
    share: float = 0.5
    count: int = 3
    strict: bool = True
    mode: str = "a"

    @classmethod
    def manual(cls) -> str:
        return "A rule with an option of every type."


@pytest.fixture
def toy_rules(monkeypatch):
    monkeypatch.setattr("lossdoctor.rules.registry", lambda: {"LD901": ToyRule})
    return {"LD901": ToyRule}
