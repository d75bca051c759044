"""What a run leaves in its folder while it is under way."""

from __future__ import annotations

import io
import math
from dataclasses import dataclass

import torch

from ..config.schema import Config, TrialConfig
from ..reports.metrics_csv import render_metrics
from ..run_folder import STATE, RunFolder
from .loop import curves
from .state import Progress, state_of
from .training import Training
from .weights_file import weights_as_bytes


@dataclass(frozen=True)
class RunFiles:
    """Writes weights, metrics and the training state, each whole or not at all."""

    folder: RunFolder
    config: Config
    training: Training
    progress: Progress

    def save(self, step: int) -> None:
        """Write everything that belongs to a checkpoint; the state last, since a resumed run starts from it."""
        self.progress.step = step
        self._write_weights("last.safetensors", step)
        table = render_metrics(tuple(curves(self.training)), tuple(self.progress.metrics))
        self.folder.write("metrics.csv", lambda path: path.write_text(table, encoding="utf-8"))
        # By way of memory: torch reports a full disk as an error of its own, which nobody would know for one.
        state = io.BytesIO()
        torch.save(state_of(self.training, self.progress, self.config), state)
        self.folder.write(STATE, lambda path: path.write_bytes(state.getbuffer()))

    def offer(self, step: int, score: float) -> None:
        """Write the weights as the best ones where none before had this score."""
        if score > self.progress.best or math.isinf(self.progress.best):
            self.progress.best = score
            self._write_weights("best.safetensors", step)

    def _write_weights(self, name: str, step: int) -> None:
        # No second entry: safetensors writes them in no order, and the same run is to give the same bytes.
        content = weights_as_bytes(self.training.setup.model, {"step": str(step)})
        self.folder.write(name, lambda path: path.write_bytes(content))


def checkpoint_steps(trial: TrialConfig) -> frozenset[int]:
    """Return the steps after which a run is saved."""
    return frozenset({*range(trial.checkpoint_every, trial.steps, trial.checkpoint_every), trial.steps})
