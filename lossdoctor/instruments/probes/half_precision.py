"""What half precision makes of the loss: values and gradients that overflow, and gradients that vanish.

fp16 ends at 65504 and at 6e-8; bf16 has the range of fp32 and keeps 8 bits, so that 1 + 0.001 is 1. What fails in fp16
alone fails for its range, what fails in both for its precision. The loss is run as training would run it, under
autocast, fp16 gradients scaled as by a GradScaler.

Costs a forward in each half precision, one in fp32 where the original is not, and K backwards to the model's output in
each of the three.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode

from ...errors import LossDoctorError
from ...facts.anomalies import Anomaly
from ...facts.probes import HalfPrecision
from ...setup.batches import changed
from ...setup.build import Setup
from ...setup.loss import Losses
from ..anomalies import trace_anomaly
from ..gradients import FP16_SCALES
from ..trace import LossTrace
from .finite import gradients_of
from .replay import NotApplicableError, Replay, by_component, values_of

HALVES = ("fp16", "bf16")

#: What autocast computes in half precision, and a CPU does fifty times as fast in fp32.
_PRODUCTS: frozenset[Callable[..., Any]] = frozenset(
    {
        F.linear,
        F.conv1d,
        F.conv2d,
        F.conv3d,
        F.conv_transpose1d,
        F.conv_transpose2d,
        F.conv_transpose3d,
        torch.matmul,
        torch.mm,
        torch.bmm,
        torch.addmm,
        Tensor.matmul,
        Tensor.__matmul__,
        Tensor.mm,
        Tensor.bmm,
    }
)


#: Value, and largest element of the gradient, by component; None where it has no gradient.
Sizes = Mapping[tuple[str, str], tuple[float, float | None]]


class RoundedProducts(TorchFunctionMode):
    """Multiplies in fp32 and rounds the result to fp16, which is what a GPU does under autocast."""

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        if func not in _PRODUCTS:
            return func(*args, **(kwargs or {}))
        args, kwargs = changed((args, dict(kwargs or {})), lambda t: t.float() if t.is_floating_point() else t)
        with torch.autocast("cpu", enabled=False):
            return changed(func(*args, **kwargs), lambda t: t.half() if t.dtype is torch.float32 else t)


def probe_half_precision(replay: Replay) -> tuple[HalfPrecision, ...]:
    """Return what is finite in fp32 and not in half precision, or has a gradient there and none in half precision.

    Raises NotApplicableError where neither half precision can be run.
    """
    original = replay.with_graph if replay.setup.precision == "fp32" else _first(replay, "fp32").evaluate(0)
    full = _sizes(original, "fp32")
    outcomes = [_tried(replay, precision, full) for precision in HALVES]
    refusals = [outcome for outcome in outcomes if isinstance(outcome, LossDoctorError)]
    if len(refusals) == len(HALVES):
        raise NotApplicableError(refusals[0].message, refusals[0].advice)
    found = [fact for outcome in outcomes if not isinstance(outcome, LossDoctorError) for fact in outcome]
    failing = {(fact.objective, fact.component, fact.precision) for fact in found}
    return tuple(
        replace(fact, by_range=fact.precision == "fp16" and (fact.objective, fact.component, "bf16") not in failing)
        for fact in found
    )


def _tried(replay: Replay, precision: str, full: Sizes) -> list[HalfPrecision] | LossDoctorError:
    try:
        with _rounded(replay.setup, precision):
            return list(_compared(replay, precision, full))
    except LossDoctorError as error:
        return error


def _first(replay: Replay, precision: str) -> Setup:
    """Return the setup in another precision, with the batch as its first."""
    return replace(replay.setup, precision=precision, batches=[replay.batch], seed=replay.setup.seed + replay.index)


def _rounded(setup: Setup, precision: str) -> AbstractContextManager[Any]:
    slow = precision == "fp16" and setup.device.type == "cpu" and setup.precision != "fp16"
    return RoundedProducts() if slow else contextlib.nullcontext()


def _sizes(losses: Losses, precision: str) -> Sizes:
    """Return the value of every component and how large its gradient is."""
    values = values_of(losses)
    sizes: dict[tuple[str, str], tuple[float, float | None]] = {}
    for key, scalar in by_component(losses).items():
        largest = None
        if scalar.requires_grad and math.isfinite(values[key]):
            for scale in FP16_SCALES if precision == "fp16" else (1.0,):
                largest = _largest(gradients_of([scalar], losses, scale)) / scale
                if math.isfinite(largest):
                    break
        sizes[key] = values[key], largest
    return sizes


def _largest(tensors: Sequence[Tensor]) -> float:
    """Return the largest magnitude among all elements; NaN where one of them is."""
    peaks = [tensor.detach().float().abs().amax() for tensor in tensors if tensor.numel() and not tensor.is_sparse]
    return float(torch.stack([peak.to(peaks[0].device) for peak in peaks]).amax()) if peaks else 0.0


def _compared(replay: Replay, precision: str, full: Sizes) -> Iterator[HalfPrecision]:
    setup = _first(replay, precision)
    for (objective, name), (value, gradient) in _sizes(setup.evaluate(0), precision).items():
        full_value, full_gradient = full.get((objective, name), (math.nan, None))
        where, problem = "", "not finite"
        if math.isfinite(full_value) and not math.isfinite(value):
            where = "value"
        elif full_gradient and math.isfinite(full_gradient) and gradient is not None:
            where = "gradient" if not gradient or not math.isfinite(gradient) else ""
            problem = "zero" if gradient == 0 else "not finite"
        if where:
            anomaly = Anomaly(objective, name, where, replay.index, None)
            if problem == "not finite":
                anomaly = trace_anomaly(setup, objective, name, where, 0)
            yield HalfPrecision(
                objective=objective,
                component=name,
                precision=precision,
                configured=replay.setup.precision == precision,
                where=where,
                problem=problem,
                largest_gradient=full_gradient,
                largest_result=_largest_result(replay, anomaly),
                operation=anomaly.operation,
                location=anomaly.location,
            )


class _Sizes(LossTrace):
    """A trace that notes how large the results of one operation are."""

    wanted: Anomaly
    largest = 0.0

    def _record(self, func: Any, args: Any, kwargs: Any, inputs: Any, outputs: Sequence[Tensor]) -> None:
        super()._record(func, args, kwargs, inputs, outputs)
        if self.events[-1].name == self.wanted.operation:
            floats = [output for output in outputs if output.is_floating_point()]
            self.largest = max(self.largest, _largest(floats))


def _largest_result(replay: Replay, anomaly: Anomaly) -> float | None:
    """Return the largest result that the operation has in fp32; None where it is not known."""
    if anomaly.operation is None:
        return None
    trace = _Sizes(replay.setup.model)
    trace.wanted = anomaly
    with trace:
        _first(replay, "fp32").evaluate(0)
    return trace.largest or None
