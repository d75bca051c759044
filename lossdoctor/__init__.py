"""lossdoctor finds out why a composite loss will not train.

`lossdoctor.inspect(config)` examines a config, `lossdoctor.fix(config)` finds the changes that cure it, and
`lossdoctor.measure({...}, model=model)` examines the live scalars of any training loop.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"
__all__ = ["ConfigError", "LossDoctorError", "Report", "__version__", "fix", "inspect", "measure"]

if TYPE_CHECKING:
    from .api import fix, inspect, measure
    from .errors import ConfigError, LossDoctorError
    from .records import Report

_HOMES = {
    "fix": "api",
    "inspect": "api",
    "measure": "api",
    "ConfigError": "errors",
    "LossDoctorError": "errors",
    "Report": "records",
}


def __getattr__(name: str) -> Any:
    """Import public names on first use, so that `import lossdoctor` costs nothing."""
    import importlib

    if name not in _HOMES:
        message = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(message)
    return getattr(importlib.import_module(f".{_HOMES[name]}", __name__), name)
