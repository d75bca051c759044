"""Trains the founding case from scratch: the loss on raw CIELAB against the same loss on normalised channels.

python benchmarks/founding_case.py [--steps 200] [--seeds 3] [--output-dir runs/founding_case]

Two models: a plain U-Net (0.27 million parameters), which has to make the picture from nothing, and the built-in one
(0.48 million), which corrects its grey input, so that it starts as a grey picture. Both configs of
`sample_data/colorization/` are trained from the same random initial weights, batches and seeds, under Adam (learning
rate 1e-3, trial.lr's default) and under SGD with momentum 0.9 (1e-2), as

lossdoctor train sample_data/colorization/unnormalized.yaml --from-scratch --force --seed 0 --steps 200

does it (`--force`, for the diagnosis refuses raw CIELAB), and judged on photographs that were never trained on. The
perceptual term is that of the loss itself, the same network for both; colourfulness is that of the outputs over that
of the photographs. Pictures and curves of every run lie below the output folder, and those of the plain U-Net's first
seed side by side in its `founding_case.jpg`.
"""

from __future__ import annotations

import argparse
import itertools
import sys
from collections.abc import Mapping
from pathlib import Path
from statistics import mean

from PIL import Image, ImageDraw

from lossdoctor.trial_api import train
from lossdoctor.trial_records import Evaluation

SAMPLE = Path(__file__).parents[1] / "sample_data" / "colorization"
CONFIGS = ("unnormalized", "normalized")
OPTIMIZERS: Mapping[str, tuple[str, ...]] = {
    "adam": ("trial.optimizer=adam", "trial.lr=0.001"),
    "sgd": ("trial.optimizer=sgd", "trial.lr=0.01", "trial.options={momentum: 0.9}"),
}
MODELS: Mapping[str, tuple[str, ...]] = {
    "plain": ("model.target=plain_unet:PlainUNet", "model.args={base_channels: 12}"),
    "unet": (),
}
METRICS = ("psnr", "ssim", "perceptual", "colorfulness")


def run(model: str, config: str, optimizer: str, seed: int, steps: int, folder: Path) -> Evaluation:
    """Train once and return the metrics at the end."""
    overrides = (
        "model.checkpoint=null",
        f"measure.seed={seed}",
        f"trial.steps={steps}",
        f"trial.measure_every={steps}",
        f"trial.validate_every={max(steps // 4, 1)}",
        *OPTIMIZERS[optimizer],
        *MODELS[model],
    )
    path = folder / f"{model}-{config}-{optimizer}-{seed}"
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
    sys.path.insert(0, str(Path(__file__).parent))
    head = f"{'model':<6} {'loss':<14} {'optimizer':<10} {'seed':>4}  "
    print(head + "  ".join(f"{name:>12}" for name in METRICS), flush=True)
    for model, optimizer, config in itertools.product(MODELS, OPTIMIZERS, CONFIGS):
        rows = []
        for seed in range(options.seeds):
            metrics = run(model, config, optimizer, seed, options.steps, options.output_dir).metrics
            rows.append([metrics[name] for name in METRICS])
            print(row(model, config, optimizer, str(seed), rows[-1]), flush=True)
        finite = [[value for value in column if value is not None] for column in zip(*rows, strict=True)]
        means = [mean(column) if column else None for column in finite]
        print(row(model, config, optimizer, "mean", means), flush=True)
    side_by_side(options.output_dir)


def side_by_side(folder: Path) -> None:
    """Put what the plain U-Net made of the first photographs into one picture, a strip for every loss and optimizer."""
    strips = {
        f"{optimizer}, {config}": Image.open(folder / f"plain-{config}-{optimizer}-0" / "samples.png")
        for optimizer, config in itertools.product(OPTIMIZERS, CONFIGS)
    }
    width, height = next(iter(strips.values())).size
    shown, line = min(height, 18 * width // 25), 14
    picture = Image.new("RGB", (2 * width, 2 * (shown + line)), "white")
    for place, (name, strip) in enumerate(strips.items()):
        left, top = place % 2 * width, place // 2 * (shown + line)
        ImageDraw.Draw(picture).text((left + 4, top + 1), name, fill="black")
        picture.paste(strip.crop((0, 0, width, shown)), (left, top + line))
    picture.save(folder / "founding_case.jpg", quality=90)


def row(model: str, config: str, optimizer: str, seed: str, values: list[float | None]) -> str:
    """Return one line of the table."""
    return f"{model:<6} {config:<14} {optimizer:<10} {seed:>4}  " + "  ".join(
        f"{'not finite' if value is None else format(value, '.4f'):>12}" for value in values
    )


if __name__ == "__main__":
    main()
