"""Telling lossdoctor's configs from the other YAML files of a project."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ..config.keys import mapping_at
from ..config.suggest import closest

#: What a file that cannot be parsed has to name, wherever it stands on a line.
_NAMES = (re.compile(rb"\bloss[\"']?\s*:"), re.compile(rb"\b(?:model|data)[\"']?\s*:"))


def is_config(value: Mapping[str, Any]) -> bool:
    """Whether a YAML mapping is meant for lossdoctor, even with a mistake in it.

    It has a `loss` that is a mapping, and two of: one of `components`, `function` and `step` in it; `model.target`;
    `data.target` or `data.images`; `version: 1`. Other tools' configs have a `loss` or a `target`, hardly all of them.
    """
    name = "loss" if "loss" in value else closest("loss", [key for key in value if isinstance(key, str)])
    if name is None or not isinstance(value[name], Mapping):
        return False
    loss, model, data = value[name], mapping_at(value, "model"), mapping_at(value, "data")
    signs = (
        not loss.keys().isdisjoint(("components", "function", "step")),
        "target" in model,
        "target" in data or "images" in data,
        value.get("version") == 1,
    )
    return sum(map(bool, signs)) >= 2


def may_be_config(data: bytes) -> bool:
    """Whether a file that cannot be parsed names what a config of lossdoctor has to have."""
    return all(name.search(data) for name in _NAMES)
