"""How long commands take as a user sees them: `python benchmarks/startup.py`.

Whole processes, alternating with what they are compared with, medians of 9. Absolute times depend on the machine, the
ratios hardly. Python keeps its bytecode between them, as it does for a user, even where the environment says otherwise.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
SAMPLE = ROOT / "sample_data" / "colorization" / "normalized.yaml"
RUNS = 9

LOSSDOCTOR = [sys.executable, "-m", "lossdoctor"]
PYTHON = [sys.executable, "-c", "pass"]
BARE_LOOP = [sys.executable, str(ROOT / "benchmarks" / "bare_loop.py")]
ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def seconds(command: list[str]) -> float:
    """Return the wall time of one run. Raises CalledProcessError where the command fails."""
    started = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True, cwd=ROOT, env=ENVIRONMENT)
    return time.perf_counter() - started


def compare(label: str, command: list[str], baseline: list[str]) -> None:
    """Print the medians of two commands run in turn, and of their ratio pair by pair."""
    seconds(command), seconds(baseline)  # warm the disk cache
    pairs = [(seconds(command), seconds(baseline)) for _ in range(RUNS)]
    ours, theirs = (statistics.median(column) for column in zip(*pairs, strict=True))
    ratio = statistics.median(a / b for a, b in pairs)
    print(f"{label:<24} {ours:7.2f} s {theirs:7.2f} s {ratio:8.2f}", flush=True)


def main() -> None:
    """Print the table."""
    print(f"{'command':<24} {'median':>9} {'baseline':>9} {'ratio':>8}")
    for name in (["--help"], ["rule"], ["rule", "LD201"], ["schema"]):
        compare(" ".join(name), [*LOSSDOCTOR, *name], PYTHON)
    inspect = [*LOSSDOCTOR, "inspect", str(SAMPLE)]
    compare("inspect --quick", [*inspect, "--quick"], BARE_LOOP)
    compare("inspect", inspect, BARE_LOOP)


if __name__ == "__main__":
    main()
