"""The curves as TensorBoard events, where TensorBoard is installed (the extra `tensorboard`)."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from ..trial_records import Curve, Evaluation


def write_events(folder: Path, curves: tuple[Curve, ...], metrics: tuple[Evaluation, ...]) -> None:
    """Write totals, components and metrics anew: one file of events, which takes the place of an earlier one.

    Does nothing without TensorBoard.
    """
    if importlib.util.find_spec("tensorboard") is None:
        return
    from torch.utils.tensorboard import SummaryWriter

    earlier = list(folder.glob("events.out.tfevents.*"))
    with SummaryWriter(str(folder)) as writer:
        for curve in curves:
            for name, series in (("total", curve.total), *curve.components.items()):
                for step, value in zip(curve.steps, series, strict=True):
                    if value is not None:
                        writer.add_scalar(f"{curve.objective}/{name}", value, step)
        for evaluation in metrics:
            for name, value in evaluation.metrics.items():
                if value is not None:
                    writer.add_scalar(f"{evaluation.split}/{name}", value, evaluation.step)
    for file in earlier:
        file.unlink()
