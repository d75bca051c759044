"""The manual: what every rule says about itself."""

from __future__ import annotations

from .config.suggest import did_you_mean
from .errors import LossDoctorError
from .rules import registry


def rule_page(code: str) -> str:
    """Return the manual page of a rule. Raises LossDoctorError for a code that does not exist."""
    rule = registry().get(code.upper())
    if rule is None:
        message = f"there is no rule {code!r}"
        raise LossDoctorError(message, did_you_mean(code, registry()) or "`lossdoctor rule` lists all rules.")
    return f"{rule.code} {rule.name} ({rule.severity.value})\n\n{rule.manual()}"


def list_rules() -> str:
    """Return one line per rule: code, level, name and what it is about."""
    rules = registry().values()
    width = max(len(rule.name) for rule in rules)
    return "\n".join(
        f"{rule.code}  {rule.severity.value:<7}  {rule.name:<{width}}  {rule.manual().splitlines()[0]}"
        for rule in rules
    )
