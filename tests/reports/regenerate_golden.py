"""Write the golden files anew: `python -m tests.reports.regenerate_golden`, then read the difference."""

from __future__ import annotations

from pathlib import Path

from .report_samples import SAMPLES, shown

GOLDEN = Path(__file__).parent / "golden"

if __name__ == "__main__":
    for name, report in SAMPLES.items():
        for width in (80, 120):
            (GOLDEN / f"{name}_{width}.txt").write_text(shown(report, width), encoding="utf-8")
