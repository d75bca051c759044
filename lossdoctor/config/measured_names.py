"""The names in `loss` against the components that the user's code returned, which are known only once it has run."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from ..errors import ConfigError
from .display import shown
from .schema import Config
from .source import problem_at
from .suggest import did_you_mean


def check_measured_names(config: Config, objectives: Mapping[str, Collection[str]]) -> None:
    """Check that every weight, role and share is of a component that the loss returned.

    `objectives` are the names of the components by objective. Raises ConfigError with every name that is not among
    them.
    """
    names = [name for components in objectives.values() for name in components]
    known = {*names, *(f"{objective}.{name}" for objective, group in objectives.items() for name in group)}
    tables: Mapping[str, Mapping[str, object]] = {
        "weights": config.loss.weights,
        "roles": config.loss.roles,
        "shares": config.loss.shares,
    }
    unknown = [("loss", table, name) for table, entries in tables.items() for name in entries if name not in known]
    if unknown:
        expected = f"a component that the loss returns: {', '.join(map(shown, names))}"
        raise ConfigError(
            tuple(
                problem_at(config.locate(*keys), keys, expected, shown(keys[-1]), did_you_mean(keys[-1], known))
                for keys in unknown
            )
        )
