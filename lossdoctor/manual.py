"""The manual: what every rule says about itself."""

from __future__ import annotations

import textwrap

from .config.suggest import did_you_mean
from .errors import LossDoctorError
from .rules import registry

#: Prose in longer lines is hard to read, however wide the terminal.
LONGEST_LINE = 90

#: Prose in shorter lines is worse than what a terminal makes of long ones.
NARROWEST_COLUMN = 30


def rule_page(code: str, width: int | None = None) -> str:
    """Return the manual page of a rule, filled to lines of `width` columns where that is given.

    Raises LossDoctorError for a code that does not exist.
    """
    rule = registry().get(code.upper())
    if rule is None:
        message = f"there is no rule {code!r}"
        raise LossDoctorError(message, did_you_mean(code, registry()) or "`lossdoctor rule` lists all rules.")
    manual = rule.manual() if width is None else _filled(rule.manual(), min(width, LONGEST_LINE))
    return f"{rule.code} {rule.name} ({rule.severity.value})\n\n{manual}"


def list_rules(width: int | None = None) -> str:
    """Return one line per rule: code, level, name and what it is about; folded to `width` where that is given."""
    rules = registry().values()
    longest = max(len(rule.name) for rule in rules)
    heads = [f"{rule.code}  {rule.severity.value:<7}  {rule.name:<{longest}}  " for rule in rules]
    lines = [f"{head}{rule.manual().splitlines()[0]}" for head, rule in zip(heads, rules, strict=True)]
    if width is None or width < len(heads[0]) + NARROWEST_COLUMN:
        return "\n".join(lines)
    return "\n".join(textwrap.fill(line, width, subsequent_indent=" " * len(heads[0])) for line in lines)


def _filled(manual: str, width: int) -> str:
    return "\n\n".join(_fill(paragraph, width) for paragraph in manual.split("\n\n"))


def _fill(paragraph: str, width: int) -> str:
    """Return a paragraph, or a list whose entries begin with a dash, in lines of `width`."""
    if not paragraph.startswith("- "):
        return textwrap.fill(paragraph, width, break_long_words=False, break_on_hyphens=False)
    entries = [f"- {entry}" for entry in paragraph.removeprefix("- ").split("\n- ")]
    return "\n".join(textwrap.fill(entry, width, subsequent_indent="  ", break_on_hyphens=False) for entry in entries)
