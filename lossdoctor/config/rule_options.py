"""The `rules:` section: which rules there are, and which options each of them has.

What a rule annotates are its options, so the rules themselves say what may be configured.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from pydantic import ConfigDict, ValidationError, create_model

from ..errors import Problem
from .display import shown
from .explain import explain
from .keys import Keys
from .schema import RulesConfig, Section
from .source import Source
from .suggest import did_you_mean

if TYPE_CHECKING:
    from ..rules.base import Rule

_ADVICE = "`lossdoctor rule` lists the codes"


class RuleOptions(Section):
    """The options of one rule."""

    model_config = ConfigDict(allow_inf_nan=False, protected_namespaces=())


def rule_classes() -> Mapping[str, type[Rule]]:
    """Return the rules by code. They are imported when they are asked for: few configs name one."""
    from ..rules import registry

    return registry()


@cache
def options_of(rule: type[Rule]) -> type[RuleOptions]:
    """Return the schema of a rule's options."""
    options: dict[str, Any] = dict(rule.options())
    return create_model(f"{rule.__name__}Options", __base__=RuleOptions, **options) if options else RuleOptions


def check_rules(rules: Mapping[str, Any], source: Source) -> Iterator[Problem]:
    """Yield what is wrong with the codes and options under `rules`."""
    classes = rule_classes()
    for table in ("select", "ignore"):
        yield from _check_prefixes(rules.get(table), table, classes, source)
    for code, options in rules.items():
        keys = ("rules", code)
        if code in RulesConfig.model_fields:
            continue
        if code not in classes:
            advice = did_you_mean(code, [*RulesConfig.model_fields, *classes]) or _ADVICE
            yield source.problem(keys, "select, ignore or the code of a rule", shown(code), advice)
        elif not isinstance(options, Mapping):
            known = ", ".join(options_of(classes[code]).model_fields)
            yield source.problem(keys, f"a mapping of options ({known})", shown(options))
        else:
            yield from _check_options(options_of(classes[code]), options, source, keys)


def _check_options(
    schema: type[RuleOptions], options: Mapping[str, Any], source: Source, keys: Keys
) -> Iterator[Problem]:
    try:
        schema.model_validate(options)
    except ValidationError as error:
        yield from explain(error, schema, options, source, keys)


def _check_prefixes(prefixes: Any, table: str, classes: Mapping[str, type[Rule]], source: Source) -> Iterator[Problem]:
    for index, prefix in enumerate(prefixes if isinstance(prefixes, list) else []):
        if isinstance(prefix, str) and not (prefix and any(code.startswith(prefix) for code in classes)):
            advice = did_you_mean(prefix, classes) or _ADVICE
            keys = ("rules", table, str(index))
            yield source.problem(keys, "the code of a rule, or the beginning of codes", shown(prefix), advice)
