"""Times the gradient instrument against its floor, and compares its peak memory with a training step's.

    python benchmarks/gradients.py

The floor of K components is what no measurement can do without that makes all gradients: one forward and K times
`torch.autograd.grad` over all parameters, the gradients thrown away. The instrument makes those of wide layers in fewer
coordinates, which may cost less. Both are timed in turn, pair by pair, so that
a noisy machine disturbs both alike, and the median of the ratios is printed. Memory is the peak resident set of a
process that measures one batch, over that of one that does a plain training step (forward, backward, Adam). Every row
has fresh processes: what an earlier one has left of the heap decides how often memory is given back and found again.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from statistics import median
from typing import Any

import torch
from torch import Tensor, nn

from lossdoctor.instruments.gradients import measure_gradients
from lossdoctor.models.unet import UNet
from lossdoctor.setup.build import Setup
from lossdoctor.setup.loss import Losses

PAIRS = 11
COMPONENTS = (2, 4, 8)
COMPONENTS_FOR_MEMORY = (4, 8)


class Transformer(nn.Module):
    """A small language model of 25 million parameters, half of them in the embedding."""

    def __init__(self, vocabulary: int = 24_000, width: int = 512, layers: int = 4) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, width)
        layer = nn.TransformerEncoderLayer(width, nhead=8, dim_feedforward=4 * width, dropout=0.0, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, layers, enable_nested_tensor=False)
        self.head = nn.Linear(width, 64)

    def forward(self, tokens: Tensor) -> Tensor:
        """Map tokens (N, T) to features (N, T, 64)."""
        features: Tensor = self.head(self.encoder(self.embedding(tokens)))
        return features


def unet() -> tuple[nn.Module, Tensor]:
    """The model, batch and image size of `sample_data/colorization`."""
    return UNet(), torch.rand(8, 1, 64, 64)


def resnet18() -> tuple[nn.Module, Tensor]:
    """Eleven million parameters on small images: hardly any activations beside them."""
    from torchvision.models import resnet18 as build

    return build(), torch.rand(4, 3, 64, 64)


def transformer() -> tuple[nn.Module, Tensor]:
    """Short sequences through a language model."""
    return Transformer(), torch.randint(24_000, (8, 32))


MODELS: Mapping[str, Callable[[], tuple[nn.Module, Tensor]]] = {
    "unet": unet,
    "resnet18": resnet18,
    "transformer": transformer,
}


def setup_of(model_name: str, components: int) -> Setup:
    """Return a model with the squared distances of its output to K random targets as components."""
    torch.manual_seed(0)
    model, batch = MODELS[model_name]()
    targets = [torch.rand_like(model(batch)) for _ in range(components)]

    def loss(model: nn.Module, batch: Any) -> Losses:
        output = model(batch)
        terms = {f"to_target_{k}": (output - target).square().mean() for k, target in enumerate(targets)}
        return Losses({"total": terms}, output)

    return Setup(model, [batch], loss)


def measure(setup: Setup) -> None:
    """Measure one batch; the check of additivity, one backward on the first batch, is left out."""
    measure_gradients(setup, check_additivity=False)


def floor(setup: Setup) -> None:
    """Do the least that makes all gradients: one forward and K backwards."""
    terms = list(setup.loss(setup.model, setup.batches[0]).objectives["total"].values())
    parameters = list(setup.model.parameters())
    for position, term in enumerate(terms, start=1):
        torch.autograd.grad(term, parameters, retain_graph=position < len(terms), allow_unused=True)


def training_step(setup: Setup) -> None:
    """Do what the user can afford already: forward, backward, Adam."""
    optimizer = torch.optim.Adam(setup.model.parameters())
    torch.stack([*setup.loss(setup.model, setup.batches[0]).objectives["total"].values()]).sum().backward()
    optimizer.step()


def seconds(action: Callable[[Setup], None], setup: Setup) -> float:
    """Return how long one call takes."""
    start = time.perf_counter()
    action(setup)
    return time.perf_counter() - start


def time_ratio(setup: Setup) -> tuple[float, float]:
    """Return the median seconds of the floor, and the median over the pairs of measure / floor."""
    for action in (measure, floor):
        action(setup)
    pairs = [(seconds(measure, setup), seconds(floor, setup)) for _ in range(PAIRS)]
    return median(least for _, least in pairs), median(measured / least for measured, least in pairs)


def in_fresh_process(action: str, model_name: str, components: int) -> list[float]:
    """Return the numbers that this script prints for an action: seconds and ratio, or KiB of memory."""
    command = [sys.executable, __file__, action, model_name, str(components)]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return [float(number) for number in output.split()]


def own_peak_memory() -> int:
    """Return the peak resident set of this process in KiB (Linux). `getrusage` would count the parent's, too."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0])


def main() -> None:
    """Print both tables."""
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads, median of {PAIRS} pairs\n")
    print(f"{'model':<12} {'K':>2} {'floor':>10} {'instrument':>11}")
    for model_name in MODELS:
        for components in COMPONENTS:
            least, ratio = in_fresh_process("time", model_name, components)
            print(f"{model_name:<12} {components:>2} {1000 * least:>7.1f} ms {ratio:>10.2f}×", flush=True)
    print(f"\n{'model':<12} {'K':>2} {'step':>10} {'instrument':>11}")
    for model_name in MODELS:
        for components in COMPONENTS_FOR_MEMORY:
            (step,), (measured,) = (
                in_fresh_process(action, model_name, components) for action in ("training_step", "measure")
            )
            print(
                f"{model_name:<12} {components:>2} {step * 1024 / 1e6:>7.0f} MB {measured / step:>10.2f}×", flush=True
            )


if __name__ == "__main__":
    if len(sys.argv) == 1:
        main()
    else:
        asked, setup = sys.argv[1], setup_of(sys.argv[2], int(sys.argv[3]))
        if asked == "time":
            print(*time_ratio(setup))
        else:
            {"measure": measure, "training_step": training_step}[asked](setup)
            print(own_peak_memory())
