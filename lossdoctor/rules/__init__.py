"""The rules: one module each, found by being here."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from functools import cache
from typing import get_origin

from .base import Rule


@cache
def registry() -> Mapping[str, type[Rule]]:
    """Return every rule class by its code, in the order of the codes."""
    modules = [
        importlib.import_module(f"{__name__}.{module.name}")
        for module in pkgutil.iter_modules(__path__)
        if module.name.startswith("ld")
    ]
    classes = [
        value
        for module in modules
        for value in vars(module).values()
        # An alias such as dict[str, int] takes itself for a type in Python 3.10.
        if isinstance(value, type) and not get_origin(value)
        if issubclass(value, Rule) and value.__module__ == module.__name__
    ]
    return {rule.code: rule for rule in sorted(classes, key=lambda rule: rule.code)}
