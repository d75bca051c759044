"""What all instruments and probes cost beside the gradient instrument alone: `python benchmarks/probes.py`.

Both look at the same setup in one process, in turn, and the median of the ratios pair by pair is printed. The samples
that ship with lossdoctor are measured as they are.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

from lossdoctor.config.load import load_config
from lossdoctor.instruments.examine import examine
from lossdoctor.instruments.gradients import measure_gradients
from lossdoctor.setup.build import open_setup
from lossdoctor.setup.preserve import preserved

SAMPLES = Path(__file__).parents[1] / "sample_data"
CONFIGS = ("colorization/normalized.yaml", "denoising/config.yaml", "sensors/config.yaml")
PAIRS = 9


def seconds(measure: Callable[[], object]) -> float:
    """Return the wall time of one call."""
    started = time.perf_counter()
    measure()
    return time.perf_counter() - started


def main() -> None:
    """Print the table."""
    print(f"median of {PAIRS} pairs\n\n{'sample':<32} {'gradients':>10} {'everything':>11} {'ratio':>7}")
    for name in CONFIGS:
        with open_setup(load_config(SAMPLES / name)) as setup, preserved(setup.model):
            measure_gradients(setup), examine(setup)  # warm-up
            pairs = [(seconds(lambda: measure_gradients(setup)), seconds(lambda: examine(setup))) for _ in range(PAIRS)]
        gradients, everything = (median(column) for column in zip(*pairs, strict=True))
        ratio = median(b / a for a, b in pairs)
        print(f"{name:<32} {gradients:8.2f} s {everything:9.2f} s {ratio:6.2f}×", flush=True)


if __name__ == "__main__":
    main()
