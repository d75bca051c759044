"""Trains the founding case from scratch: the loss on raw CIELAB against the same loss on normalised channels.

python benchmarks/founding_case.py [--steps 200] [--seeds 3] [--output-dir runs/founding_case]

Both configs of `sample_data/colorization/` are trained from the same random initial weights, batches and seeds, under
Adam (learning rate 1e-3, trial.lr's default) and under SGD with momentum 0.9 (1e-2), as

lossdoctor train sample_data/colorization/unnormalized.yaml --from-scratch --force --seed 0 --steps 200

does it (`--force`, for the diagnosis refuses raw CIELAB), and judged on photographs that were never trained on. The
perceptual term is that of the loss itself, the same network for both; colourfulness is that of the outputs over that
of the photographs. Pictures and curves of every run lie below the output folder.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path
from statistics import mean

from lossdoctor.trial_api import train
from lossdoctor.trial_records import Evaluation

SAMPLE = Path(__file__).parents[1] / "sample_data" / "colorization"
CONFIGS = ("unnormalized", "normalized")
OPTIMIZERS: Mapping[str, tuple[str, ...]] = {
    "adam": ("trial.optimizer=adam", "trial.lr=0.001"),
    "sgd": ("trial.optimizer=sgd", "trial.lr=0.01", "trial.options={momentum: 0.9}"),
}
METRICS = ("psnr", "ssim", "perceptual", "colorfulness")


def run(config: str, optimizer: str, seed: int, steps: int, folder: Path) -> Evaluation:
    """Train once and return the metrics at the end."""
    overrides = (
        "model.checkpoint=null",
        f"measure.seed={seed}",
        f"trial.steps={steps}",
        f"trial.measure_every={steps}",
        f"trial.validate_every={max(steps // 4, 1)}",
        *OPTIMIZERS[optimizer],
    )
    path = folder / f"{config}-{optimizer}-{seed}"
    result = train(
        SAMPLE / f"{config}.yaml", overrides=overrides, quick=True, force=True, output_dir=path, overwrite=True
    )
    trial = result.report.trial
    if trial is None or result.signal is not None:
        sys.exit(f"{path}: the run was interrupted")
    return trial.metrics[-1]


def main() -> None:
    """Print a row per run, and the means."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--output-dir", type=Path, default=Path("runs/founding_case"))
    options = parser.parse_args()
    print(f"{'loss':<14} {'optimizer':<10} {'seed':>4}  " + "  ".join(f"{name:>12}" for name in METRICS), flush=True)
    for optimizer in OPTIMIZERS:
        for config in CONFIGS:
            rows = []
            for seed in range(options.seeds):
                metrics = run(config, optimizer, seed, options.steps, options.output_dir).metrics
                rows.append([metrics[name] for name in METRICS])
                print(row(config, optimizer, str(seed), rows[-1]), flush=True)
            finite = [[value for value in column if value is not None] for column in zip(*rows, strict=True)]
            print(row(config, optimizer, "mean", [mean(column) if column else None for column in finite]), flush=True)


def row(config: str, optimizer: str, seed: str, values: list[float | None]) -> str:
    """Return one line of the table."""
    return f"{config:<14} {optimizer:<10} {seed:>4}  " + "  ".join(
        f"{'not finite' if value is None else format(value, '.4f'):>12}" for value in values
    )


if __name__ == "__main__":
    main()
