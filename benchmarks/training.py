"""Times the training loop of the trials against one written by hand: `python benchmarks/training.py`.

Both make the same steps with the same optimizer on the same batches from the same weights, in turn, pair by pair; the
median of the ratios of their processor times is printed, which others on the machine disturb least. Measuring,
validating and saving, which are events beside the loop, are left out on one side as on the other; keeping the value of
every component is part of ours. The weights at the end have to be equal, bit by bit.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Mapping
from statistics import median
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lossdoctor.config.schema import TrialConfig
from lossdoctor.models.unet import UNet
from lossdoctor.setup.build import Setup
from lossdoctor.setup.loss import Losses
from lossdoctor.trials.loop import run
from lossdoctor.trials.training import start_training

PAIRS = 11
BATCHES = 4
WEIGHTS = {"square": 1.0, "absolute": 0.5}

Batches = list[tuple[Tensor, Tensor]]


def unet() -> tuple[nn.Module, Batches, int]:
    """The model, batch and image size of `sample_data/colorization`."""
    return UNet(), [(torch.rand(8, 1, 64, 64), torch.rand(8, 3, 64, 64)) for _ in range(BATCHES)], 6


def resnet18() -> tuple[nn.Module, Batches, int]:
    """Eleven million parameters in 62 tensors on small images."""
    from torchvision.models import resnet18 as build

    return build(num_classes=3), [(torch.rand(4, 3, 64, 64), torch.rand(4, 3)) for _ in range(BATCHES)], 6


def perceptron() -> tuple[nn.Module, Batches, int]:
    """A step of less than a millisecond, in which every line of Python counts."""
    model = nn.Sequential(nn.Linear(32, 256), nn.ReLU(), nn.Linear(256, 256), nn.ReLU(), nn.Linear(256, 3))
    return model, [(torch.rand(64, 32), torch.rand(64, 3)) for _ in range(BATCHES)], 200


MODELS: Mapping[str, Callable[[], tuple[nn.Module, Batches, int]]] = {
    "unet": unet,
    "resnet18": resnet18,
    "perceptron": perceptron,
}


def components(output: Tensor, target: Tensor) -> dict[str, Tensor]:
    """Return the unweighted components."""
    return {"square": F.mse_loss(output, target), "absolute": F.l1_loss(output, target)}


def by_hand(model: nn.Module, batches: Batches, steps: int) -> float:
    """Train as a practitioner would write it; return the seconds."""
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    supply = itertools.cycle(batches)
    started = time.process_time()
    for _ in range(steps):
        source, target = next(supply)
        terms = components(model(source), target)
        total = terms["square"] + 0.5 * terms["absolute"]
        total.backward()
        optimizer.step()
        optimizer.zero_grad()
    return time.process_time() - started


def ours(model: nn.Module, batches: Batches, steps: int) -> float:
    """Train as the trials do; return the seconds."""

    def loss(model: nn.Module, batch: Any) -> Losses:
        output = model(batch[0])
        return Losses({"total": components(output, batch[1])}, output)

    setup = Setup(model, batches, loss, weights=WEIGHTS)
    training = start_training(setup, TrialConfig(steps=steps), batches[0])
    started = time.process_time()
    run(training, itertools.cycle(batches))
    return time.process_time() - started


def pair(name: str) -> tuple[float, float]:
    """Return the seconds of both from the same weights, per step."""
    seconds, trained = [], []
    for train in (by_hand, ours):
        torch.manual_seed(0)
        model, batches, steps = MODELS[name]()
        seconds.append(train(model, batches, steps) / steps)
        trained.append(model.state_dict())
    assert all(torch.equal(trained[0][key], trained[1][key]) for key in trained[0]), name
    return seconds[0], seconds[1]


def main() -> None:
    """Print the table."""
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads, median of {PAIRS} pairs\n")
    print(f"{'model':<12} {'step by hand':>13} {'trial':>7}")
    for name in MODELS:
        pair(name)  # warm-up
        pairs = [pair(name) for _ in range(PAIRS)]
        ratio = median(mine / hand for hand, mine in pairs)
        print(f"{name:<12} {1000 * median(hand for hand, _ in pairs):>10.2f} ms {ratio:>6.3f}×", flush=True)


if __name__ == "__main__":
    main()
