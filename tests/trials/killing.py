"""Runs that die without warning, and what goes on after them: `python killing.py FOLDER KILLS SEED`.

Run as a program of its own, which imports everything once and forks for every run. Half of the processes die at a
random moment, half of them just before or just after a random file takes its place. Prints one JSON object per kill.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
from pathlib import Path

import kornia  # noqa: F401
import matplotlib.figure  # noqa: F401
import torch
import torchvision  # noqa: F401

import lossdoctor.instruments.examine
import lossdoctor.trials.train  # noqa: F401
from lossdoctor.config.load import parse_config
from lossdoctor.trial_api import train

HERE = Path(__file__).parent
CONFIG = {
    "model": {"target": "resumable:Net"},
    "data": {"target": "resumable:shuffled_loader"},
    "loss": {"function": "resumable:terms", "weights": {"square": 1.0, "absolute": 0.5}},
    "measure": {"batches": 2},
    "trial": {"steps": 40, "lr": 0.01, "checkpoint_every": 2, "measure_every": 10},
}


def run(folder, resume=False):
    config = parse_config(CONFIG, HERE / "resumable.yaml")
    train(config, quick=True, output_dir=folder, resume=resume)


def forked(action, *arguments):
    """Start an action in a process of its own."""
    child = os.fork()
    if child:
        return child
    try:
        action(*arguments)
        os._exit(0)
    except BaseException as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)
        os._exit(2)


def status_of(child):
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def dying_at_a_file(folder, count, late):
    """Run, and die when file number `count` is about to take its place, or has just taken it."""
    replace, left = Path.replace, [count]

    def replace_or_die(part, place):
        left[0] -= 1
        if left[0] >= 0 or late:
            replace(part, place)
        if left[0] < 0:
            os.kill(os.getpid(), signal.SIGKILL)

    Path.replace = replace_or_die
    run(folder)


def killed_at_random(folder, moment):
    """Start a run, and kill it some time after it has taken the folder."""
    child = forked(run, folder)
    while not (folder / "run.json").exists():
        time.sleep(0.001)
    time.sleep(moment)
    os.kill(child, signal.SIGKILL)
    return status_of(child)


def same(mine, wanted):
    if isinstance(wanted, dict):
        return mine.keys() == wanted.keys() and all(same(mine[key], wanted[key]) for key in wanted)
    if isinstance(wanted, (list, tuple)):
        return len(mine) == len(wanted) and all(map(same, mine, wanted))
    return torch.equal(mine, wanted) if isinstance(wanted, torch.Tensor) else mine == wanted


def differing(folder, whole):
    """Return the files that are not what the uninterrupted run left."""
    mine, wanted = (torch.load(path / "state.pt", weights_only=True) for path in (folder, whole))
    files = ("last.safetensors", "best.safetensors", "metrics.csv")
    return [
        *(name for name in files if (folder / name).read_bytes() != (whole / name).read_bytes()),
        *([] if same(mine, wanted) else ["state.pt"]),
    ]


def main(folder, kills, seed):
    dice, whole = random.Random(seed), folder / "whole"
    torch.set_num_threads(1)
    assert status_of(forked(run, whole)) == 0
    seconds = (whole / "state.pt").stat().st_mtime - (whole / "run.json").stat().st_mtime
    for number in range(kills):
        path = folder / f"killed-{number}"
        if number % 2:
            count, late = dice.randrange(1, 60), dice.random() < 0.5
            how = f"file {count}, {'after' if late else 'before'}"
            status = status_of(forked(dying_at_a_file, path, count, late))
        else:
            moment = dice.uniform(0, seconds)
            how = f"after {moment:.2f} s"
            status = killed_at_random(path, moment)
        step = torch.load(path / "state.pt", weights_only=True)["step"] if (path / "state.pt").exists() else 0
        resumed = status_of(forked(run, path, True))
        seen = {
            "how": how,
            "status": status,
            "step": step,
            "resumed": resumed,
            "files": sorted(file.name for file in path.iterdir()),
            "differing": differing(path, whole) if resumed == 0 else None,
        }
        print(json.dumps(seen), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
