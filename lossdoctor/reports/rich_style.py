"""The colours and marks of the terminal report, and what becomes of them where a terminal has neither."""

from __future__ import annotations

from collections.abc import Mapping

from rich.style import Style

from ..records import Severity, Verdict

# Mid-tones of the 256-colour palette: each has a contrast (WCAG) of at least 3.8 on white and on black. The
# plain ANSI colours have not: yellow and cyan vanish on white, blue on black, and many themes dim to nothing.
ERROR = Style(color="color(160)", bold=True)
WARNING = Style(color="color(166)", bold=True)
NOTE = Style(color="color(32)", bold=True)
PASSED = Style(color="color(28)", bold=True)
LABEL = Style(color="color(32)")
HEADER = Style(bold=True)

SEVERITY_STYLES: Mapping[Severity, Style] = {
    Severity.ERROR: ERROR,
    Severity.WARNING: WARNING,
    Severity.NOTE: NOTE,
}
SEVERITY_MARKS: Mapping[Severity, str] = {Severity.ERROR: "✗", Severity.WARNING: "!", Severity.NOTE: "·"}

VERDICT_STYLES: Mapping[Verdict, Style] = {
    Verdict.ERROR: ERROR,
    Verdict.FAIL: ERROR,
    Verdict.WARN: WARNING,
    Verdict.PASS: PASSED,
}
VERDICT_MARKS: Mapping[Verdict, str] = {
    Verdict.ERROR: "✗",
    Verdict.FAIL: "✗",
    Verdict.WARN: "!",
    Verdict.PASS: "✓",
}

BAR, HALF_BAR = "━", "╸"

# One character for one, so that a finished layout keeps its alignment.
_ASCII_GLYPHS = str.maketrans("✗✓·–…─━╸", "x+--.-=-")


def ascii_glyphs(text: str) -> str:
    """Return `text` with the report's own marks, dashes and bars replaced by ASCII ones of the same width."""
    return text.translate(_ASCII_GLYPHS).encode("ascii", "replace").decode()
