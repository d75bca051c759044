"""What the model makes of a few images, at several moments of a run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from PIL import Image, ImageDraw
from torch import Tensor

from ..config.schema import TrialConfig
from ..run_folder import RunFolder
from ..setup.batches import target_of, to
from ..setup.build import Setup
from ..setup.preserve import preserved
from .colors import is_image

SAMPLES = 6
GAP, HEADER = 4, 14  #: pixels
SMALLEST, LARGEST = 96, 256  #: sides of a picture in the grid


@dataclass
class Album:
    """Pictures of one batch: what went in, what was wanted, and what came out at every stage."""

    setup: Setup  #: its first batch is shown
    stages: dict[int, Tensor] = field(default_factory=dict)  #: step -> (N, 3, H, W) bytes

    def take(self, step: int) -> None:
        """Take a picture of the model as it is. It is left as it was."""
        with preserved(self.setup.model):
            output = _only_tensor(self.setup.evaluate(0).output)
        if output is not None and self.shows_images(output):
            self.stages[step] = as_bytes(output)

    def shows_images(self, output: Tensor) -> bool:
        """Whether there is something to see: images go in, come out and are wanted."""
        target, source = target_of(self.setup.batches[0]), _input_of(self.setup.batches[0])
        same = isinstance(target, Tensor) and target.shape == output.shape and is_image(target)
        return same and isinstance(source, Tensor) and is_image(source)

    def grid(self) -> Image.Image | None:
        """Return one row per sample: input, the stages in order, target. None where there are no images."""
        return self.framed({f"step {step}": self.stages[step] for step in sorted(self.stages)})

    def framed(self, outputs: Mapping[str, Tensor]) -> Image.Image | None:
        """Return one row per sample: input, outputs for it by name, target. None where there are no outputs."""
        if not outputs:
            return None
        batch = to(self.setup.batches[0], torch.device("cpu"))
        columns = {"input": as_bytes(_input_of(batch)), **outputs, "target": as_bytes(target_of(batch))}
        return draw_grid(columns)

    def save(self, folder: RunFolder) -> None:
        """Write the grid into the folder of the run, where there are images."""
        if (grid := self.grid()) is not None:
            folder.write("samples.png", lambda path: grid.save(path, format="PNG"))


def album_steps(trial: TrialConfig) -> frozenset[int]:
    """Return the steps at which a picture is taken: before, early, on the way, and after."""
    steps = trial.steps
    return frozenset({0, max(steps // 20, 1), max(steps // 4, 1), steps})


def as_bytes(images: Tensor) -> Tensor:
    """Return the first images of a batch (N, 1 or 3, H, W) in [0, 1] as bytes (n, 3, H, W) on the host."""
    shown = images.detach()[:SAMPLES].float().nan_to_num(0.0).clamp(0, 1).cpu()
    return (255 * shown).round().to(torch.uint8).expand(-1, 3, -1, -1).clone()


def draw_grid(columns: Mapping[str, Tensor]) -> Image.Image:
    """Draw columns of images (n, 3, H, W) side by side, each under its name."""
    first = next(iter(columns.values()))
    rows, _, height, width = first.shape
    scale = _scale(height, width)
    cell = (max(round(width * scale), 1), max(round(height * scale), 1))
    size = (len(columns) * (cell[0] + GAP) + GAP, HEADER + rows * (cell[1] + GAP) + GAP)
    canvas = Image.new("RGB", size, "white")
    pen = ImageDraw.Draw(canvas)
    for column, (name, images) in enumerate(columns.items()):
        left = GAP + column * (cell[0] + GAP)
        pen.text((left, 2), name, fill="black")
        for row, image in enumerate(images):
            picture = Image.fromarray(image.permute(1, 2, 0).numpy()).resize(cell, Image.Resampling.NEAREST)
            canvas.paste(picture, (left, HEADER + row * (cell[1] + GAP)))
    return canvas


def _scale(height: int, width: int) -> float:
    """Return a whole factor that makes small images large enough to see, or what makes large ones fit."""
    largest = max(height, width)
    return LARGEST / largest if largest > LARGEST else max(SMALLEST // largest, 1)


def _only_tensor(output: Any) -> Tensor | None:
    return output if isinstance(output, Tensor) else None


def _input_of(batch: Any) -> Any:
    """Return the input of a batch: the first of a tuple, the key `input` of a mapping."""
    if isinstance(batch, Mapping):
        return batch.get("input")
    return batch[0] if isinstance(batch, (tuple, list)) and batch else batch
