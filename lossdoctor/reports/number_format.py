"""Numbers as people read them: four significant digits, no needless zeros, one way everywhere."""

from __future__ import annotations

import math

MISSING = "–"


def number(value: float | None) -> str:
    """Return `value` with four significant digits: `679.9`, `2263`, `1.2e-9`; `–` for None.

    Whole parts are never cut below a million: `123456` stays.
    """
    if value is None:
        return MISSING
    if value == 0:
        return "0"
    if not math.isfinite(value):
        return f"{value:g}"
    if 1e-3 <= abs(value) < 1e6:
        return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.4g}"
    mantissa, exponent = f"{value:.3e}".split("e")
    return f"{mantissa.rstrip('0').rstrip('.')}e{int(exponent)}"


def percent(share: float | None) -> str:
    """Return a share of 1 as a percentage: `23.1 %`, `0.08 %`, `<0.01 %`; `0 %` and `100 %` are exact."""
    if share is None or not math.isfinite(share):
        return number(share)
    value = 100 * share
    if value in (0, 100):
        text = f"{value:.0f}"
    elif 0 < value < 0.01:
        text = "<0.01"
    elif 99.99 < value < 100:
        text = ">99.99"
    elif value < 1 or 99.9 < value < 100:
        text = f"{value:.2f}"
    else:
        text = f"{value:.1f}" if value < 1000 else number(value)
    return f"{text} %"


def cosine(value: float | None) -> str:
    """Return a cosine with its sign: `+0.57`, `-0.31`."""
    return number(value) if value is None or not math.isfinite(value) else f"{value:+.2f}"
