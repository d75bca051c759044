"""How long `lossdoctor check` takes: 1,000 configs, and one.

    python benchmarks/check.py [--configs N] [--repeat N]

The configs vary in every way that costs time: built-in components of every term, losses in user code, comments, block
and flow style, schedules, shares, rule options, suppressions; some of them are faulty. Each run is a process of its
own, from its start to its end, with modules that are compiled as pip leaves them, and the fastest of them counts: what
else runs on the machine only ever adds. The processor's time is there to compare on a busy machine.
"""

from __future__ import annotations

import argparse
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TERMS = ("mse", "l1", "smooth_l1", "charbonnier", "ssim", "ms_ssim", "tv", "gradient", "perceptual")
SPACES = ("rgb", "lab", "luv", "ycbcr", "yuv", "xyz", "gray")


def config(seed: int) -> str:
    """Return the text of a config."""
    draw = random.Random(seed)
    sections = [_header(draw), _model(draw), _data(draw), _loss(draw)]
    if draw.random() < 0.3:
        sections.append(f"measure: {{batches: {draw.randint(1, 8)}, seed: {draw.randint(0, 9)}}}")
    if draw.random() < 0.2:
        sections.append("rules:\n  ignore: [LD106]\n  LD101: {warning_share: 0.97}")
    return "\n".join(sections) + "\n"


def _header(draw: random.Random) -> str:
    return (
        "\n".join(f"# {' '.join(draw.choices(('loss', 'of', 'the', 'run'), k=12))}" for _ in range(4)) + "\nversion: 1"
    )


def _model(draw: random.Random) -> str:
    target = draw.choice(("unet", "project.models:Net"))
    return f"model:\n  target: {target}    # the network\n  args: {{in_channels: 1, out_channels: 3}}"


def _data(draw: random.Random) -> str:
    return draw.choice(
        (
            f"data:\n  images: photos/\n  task: colorization\n  size: {draw.choice((64, 128))}\n  batch_size: 8",
            "data: {target: 'project.data:batches', args: {root: /data, split: train}, batch_size: 16}",
        )
    )


def _loss(draw: random.Random) -> str:
    if draw.random() < 0.3:
        names = [f"part_{index}" for index in range(draw.randint(2, 6))]
        weights = "\n".join(f"    {name}: {_weight(draw)}" for name in names)
        return f"loss:\n  step: project.train:losses\n  weights:\n{weights}\n  roles: {{{names[0]}: regularizer}}"
    lines = [_component(draw, index) for index in range(draw.randint(2, 5))]
    shares = "\n  shares: {part_0: 0.3, part_1: 0.4}" if draw.random() < 0.2 else ""
    return "loss:\n  components:\n" + "\n".join(lines) + shares


def _component(draw: random.Random, index: int) -> str:
    term = draw.choice(TERMS)
    entries = {"term": term, "weight": _weight(draw)}
    if term == "perceptual":
        entries["pretrained"] = "random"
    else:
        entries["space"] = draw.choice(SPACES)
        entries["normalize"] = str(draw.random() > 0.02).lower()
    entries["reduction"] = "sum" if draw.random() < 0.02 else "mean"
    if draw.random() < 0.5:
        inside = ", ".join(f"{key}: {value}" for key, value in entries.items())
        return f"    part_{index}: {{{inside}}}" + ("  # lossdoctor: ignore LD205" if draw.random() < 0.1 else "")
    return f"    part_{index}:\n" + "\n".join(f"      {key}: {value}" for key, value in entries.items())


def _weight(draw: random.Random) -> str:
    if draw.random() < 0.1:
        return "{from: 0.0, to: 1.0, over: 1000}"
    return f"{draw.choice((0.5, 1.0, 2.0))}"


def seconds(path: Path, compiled: Path) -> tuple[float, float]:
    """Return the wall time and the processor's time of one `lossdoctor check`, which must not fail to work."""
    command = [sys.executable, "-m", "lossdoctor", "check", str(path)]
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    before, started = os.times(), time.perf_counter()
    done = subprocess.run(
        command, capture_output=True, check=False, env=environment | {"PYTHONPYCACHEPREFIX": str(compiled)}
    )
    elapsed, after = time.perf_counter() - started, os.times()
    assert done.returncode in (0, 1), done.stderr.decode()
    used = after.children_user + after.children_system - before.children_user - before.children_system
    return elapsed, used


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--configs", type=int, default=1000)
    parser.add_argument("--repeat", type=int, default=7)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder, compiled = Path(temporary, "configs"), Path(temporary, "compiled")
        (folder / "photos").mkdir(parents=True)
        for seed in range(options.configs):
            (folder / f"{seed:05}.yaml").write_text(config(seed), encoding="utf-8")
        one = folder / "00000.yaml"
        seconds(one, compiled)
        runs = [(seconds(folder, compiled), seconds(one, compiled)) for _ in range(options.repeat)]
    for name, limit, times in (
        (f"{options.configs} configs", 1.5 * options.configs / 1000, [many for many, _ in runs]),
        ("one config", 0.3, [one for _, one in runs]),
    ):
        wall, used = (sorted(column) for column in zip(*times, strict=True))
        median = wall[len(wall) // 2]
        print(f"{name:>14}: {wall[0]:.2f} s  (median {median:.2f} s, processor {used[0]:.2f} s, limit {limit:.2f} s)")


if __name__ == "__main__":
    main()
