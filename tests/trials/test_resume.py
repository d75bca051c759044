"""A run that was interrupted and goes on ends bit by bit where it would have ended, its report included."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from lossdoctor.config.load import parse_config
from lossdoctor.run_folder import claim_folder, open_folder
from lossdoctor.setup.build import open_setup
from lossdoctor.trials.loop import Watch
from lossdoctor.trials.train import train

HERE = Path(__file__).parent
PHOTOS = HERE.parents[1] / "sample_data" / "photos"
UNWATCHED = Watch(lambda what, steps, start: lambda step, curves: None, lambda metrics: None)

PLAIN = {
    "model": {"target": "resumable:Net"},
    "data": {"target": "resumable:data_set"},
    "loss": {"function": "resumable:terms", "weights": {"square": 1.0, "absolute": 0.5}},
    "measure": {"batches": 2},
    "trial": {"steps": 12, "lr": 0.01, "checkpoint_every": 5, "measure_every": 4, "validate_every": 3},
}

COLORIZATION = {
    "model": {"target": "unet", "args": {"in_channels": 1, "out_channels": 3, "base_channels": 4}},
    "data": {"images": str(PHOTOS), "size": 16, "batch_size": 4, "group": "^(.+)-\\d+"},
    "loss": {
        "components": {
            "L": {"term": "mse", "space": "lab", "channels": ["L"], "weight": 1.0},
            "ab": {"term": "mse", "space": "lab", "channels": ["a", "b"], "weight": 4.0},
        }
    },
}

RAMP = {"from": 0.0, "to": 2.0, "start": 2, "over": 8}

CASES = {
    "dropout, batch norm, noise in the loss": {},
    "a loader that shuffles": {"data": {"target": "resumable:shuffled_loader"}},
    "a loader with a worker": {"data": {"target": "resumable:shuffled_loader", "args": {"workers": 1}}},
    "a generator that is used up": {"data": {"target": "resumable:generated"}},
    "an iterator that never ends": {"data": {"target": "resumable:Endless"}},
    "random crops of photographs": COLORIZATION,
    "bf16": {"measure": {"precision": "bf16"}},
    "fp16, scaled": {"measure": {"precision": "fp16"}, "loss": {"function": "resumable:overflowing"}},
    "accumulation and clipping": {"trial": {"accumulate": 3, "clip": 0.5}},
    "momentum, schedules of rate and weight": {
        "trial": {"optimizer": "sgd", "options": {"momentum": 0.9}, "schedule": "cosine", "warmup": 3},
        "loss": {"weights": {"square": 1.0, "absolute": RAMP}},
    },
    "two players": {
        "model": {"target": "resumable:GAN"},
        "loss": {"step": "resumable:game", "weights": {"real": 1.0, "fake": 1.0, "adversarial": 1.0}},
        "trial": {"objectives": {"discriminator": {"optimizer": "sgd", "lr": 0.1}}},
    },
}


class KilledError(BaseException):
    """Ends a run without a chance to save."""


def config_of(changes):
    sections = dict(PLAIN)
    for section, values in changes.items():
        own = section == "data" or "components" in values or "step" in values
        sections[section] = {**({} if own else PLAIN.get(section, {})), **values}
    return parse_config(sections, HERE / "resumable.yaml")


def trained(config, path, *, resume=False, stop=lambda: None):
    folder = claim_folder(path, config.path, "train", overwrite=False, resume=resume)
    with open_setup(config) as setup:
        open_folder(folder, config.path, "train", keep=resume)
        return train(setup, config, folder, watch=UNWATCHED, stop=stop)


def after(steps, then):
    """Return what a run asks before every step: `then` answers when so many have been made."""
    left = iter(range(steps))

    def stop():
        return None if next(left, None) is not None else then()

    return stop


def killed():
    raise KilledError


def state_of(path):
    return torch.load(path / "state.pt", weights_only=True)


def assert_same(mine, wanted, where=""):
    if isinstance(wanted, dict):
        assert mine.keys() == wanted.keys(), where
        for key in wanted:
            assert_same(mine[key], wanted[key], f"{where}.{key}")
    elif isinstance(wanted, (list, tuple)):
        assert len(mine) == len(wanted), where
        for index, pair in enumerate(zip(mine, wanted)):
            assert_same(*pair, f"{where}[{index}]")
    elif isinstance(wanted, torch.Tensor):
        assert torch.equal(mine, wanted), where
    else:
        assert mine == wanted, where


@pytest.mark.parametrize("case", CASES)
def test_goes_on_as_if_nothing_had_happened(case, tmp_path):
    config = config_of(CASES[case])
    whole = trained(config, tmp_path / "whole")
    with pytest.raises(KilledError):  # two steps after a checkpoint, which are lost
        trained(config, tmp_path / "cut", stop=after(7, killed))
    interrupted = trained(config, tmp_path / "cut", resume=True, stop=after(3, lambda: "interrupted"))
    resumed = trained(config, tmp_path / "cut", resume=True)

    assert (interrupted.steps, interrupted.stopped) == (8, "interrupted")
    assert (resumed.steps, resumed.stopped) == (12, None)
    assert_same(state_of(tmp_path / "cut"), state_of(tmp_path / "whole"))
    for name in ("last.safetensors", "best.safetensors", "metrics.csv"):
        assert (tmp_path / "cut" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes(), name
    assert resumed.curves == whole.curves
    assert (resumed.trajectory, resumed.metrics) == (whole.trajectory, whole.metrics)
