"""Metrics of a model while it is trained: scale-free ones for images, the user's own, and every component by itself."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from numbers import Real
from typing import Any

import kornia.metrics
import torch
from torch import Tensor

from ..errors import UserCodeError
from ..setup.batches import Batch, target_of, to
from ..setup.build import Setup
from ..setup.loss import Losses
from ..setup.preserve import preserved
from ..setup.user_code import blaming, import_target
from ..trial_records import Evaluation, Number
from .colors import colorfulness, is_image

#: Side of the Gaussian window of SSIM (Wang et al. 2004).
WINDOW = 11

#: Identical images have an infinite PSNR, which has no mean; 100 dB are a mean error of 1e-5.
HIGHEST_PSNR = 100.0

Metric = Callable[[Any, Batch], Any]


def load_metric(target: str | None) -> Metric | None:
    """Return the user's own metric. Raises UserCodeError where it cannot be imported."""
    return None if target is None else import_target(target, "trial.metric")


def evaluate(setup: Setup, batches: Sequence[Batch], step: int, split: str, metric: Metric | None) -> Evaluation:
    """Judge the model in eval mode: the mean of every number over the batches. It is left as it was.

    Images (output and target of one shape, in [0, 1]) have `psnr` in dB, the mean over the images, `ssim`, and in RGB
    `colorfulness`, that of the outputs over that of the targets. Every component is in its own unit, `objective.name`
    where there are several objectives. A number of the user's own that is called like one of these is `metric.name`.
    """
    judged = replace(setup, batches=list(batches), mode="eval")
    with preserved(setup.model):
        rows = [dict(_numbers(judged, index, metric)) for index in range(len(batches))]
    names = dict.fromkeys(name for row in rows for name in row)
    return Evaluation(step, split, {name: _mean([row[name] for row in rows if name in row]) for name in names})


def _numbers(setup: Setup, index: int, metric: Metric | None) -> Iterator[tuple[str, float]]:
    losses, target = setup.evaluate(index), target_of(setup.batches[index])
    known = [
        *_of_images(losses.output, to(target, setup.device) if isinstance(target, Tensor) else target),
        *_of_components(losses),
    ]
    taken = {name for name, _ in known}
    for name, value in _own(metric, setup, index) if metric is not None else ():
        yield f"metric.{name}" if name in taken else name, value
    yield from known


def _own(metric: Metric, setup: Setup, index: int) -> Iterator[tuple[str, float]]:
    with blaming("calling trial.metric"), torch.no_grad():
        result = metric(setup.model, to(setup.batches[index], setup.device))
    numbers = result if isinstance(result, Mapping) else {"metric": result}
    for name, value in numbers.items():
        if not (isinstance(value, Real) or (isinstance(value, Tensor) and value.numel() == 1)):
            message = f"trial.metric returned a {type(value).__name__} for {name!r}, expected a number"
            raise UserCodeError(message, 'Return a number, or several by name: {"accuracy": 0.9}.')
        yield str(name), float(value)


def _of_images(output: Any, target: Any) -> Iterator[tuple[str, float]]:
    if not (isinstance(output, Tensor) and isinstance(target, Tensor) and output.shape == target.shape):
        return
    if not is_image(target):
        return
    seen, wanted = output.detach().float().clamp(0, 1), target.float().clamp(0, 1)
    ratios = [kornia.metrics.psnr(*pair, max_val=1.0) for pair in zip(seen, wanted, strict=True)]
    yield "psnr", float(torch.stack(ratios).clamp(max=HIGHEST_PSNR).mean())
    if min(target.shape[-2:]) >= WINDOW:
        yield "ssim", float(kornia.metrics.ssim(seen, wanted, WINDOW).mean())
    if target.shape[1] == 3 and float(colors := colorfulness(wanted).mean()) > 0:
        yield "colorfulness", float(colorfulness(seen).mean()) / float(colors)


def _of_components(losses: Losses) -> Iterator[tuple[str, float]]:
    for objective, components in losses.objectives.items():
        for name, scalar in components.items():
            yield name if len(losses.objectives) == 1 else f"{objective}.{name}", float(scalar.detach())


def _mean(values: Sequence[float]) -> Number:
    mean = sum(values) / len(values)
    return mean if math.isfinite(mean) else None


def score(setup: Setup, evaluation: Evaluation, metric: Metric | None) -> float:
    """Return what makes one model better than another: the user's first metric, else PSNR, else a low total."""
    metrics = evaluation.metrics
    if metric is not None or "psnr" in metrics:
        value = next(iter(metrics.values())) if metric is not None else metrics["psnr"]
        return -math.inf if value is None else value
    total = 0.0
    for name, value in metrics.items():
        objective, _, component = name.rpartition(".")
        weight = setup.weight(objective or "total", component)
        if value is None:
            return -math.inf
        total += (1.0 if weight is None else weight) * value
    return -total
