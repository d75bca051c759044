"""Recognising a colour space that has one scale on the prediction's side and another on the data's."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .color_operands import ColorOperand, color_operand
from .distances import DISTANCES

if TYPE_CHECKING:
    from ..config.schema import Space
    from ..facts.operands import Operand, Operation
    from ..facts.statistics import Statistics

#: What was scaled to be like RGB stays within this, with room for a and b divided by 100.
_SCALED = 1.5

#: What scales or shifts every element.
_AFFINE = frozenset({"mul", "multiply", "div", "divide", "true_divide", "add", "sub", "subtract"})


@dataclass(frozen=True)
class ColorMismatch:
    """One colour space in two scales."""

    space: Space
    prediction_scale: str  #: "in its own units", "scaled to about 1", "in 8 bits"
    data_scale: str
    prediction: tuple[Statistics, ...] = field(compare=False)
    data: tuple[Statistics, ...] = field(compare=False)


def color_mismatch(operation: Operation) -> ColorMismatch | None:
    """Return how a distance compares colours in two scales; None where it does not, or where that cannot be told.

    The scale of a prediction is known where it comes straight out of a conversion from RGB, which gives the units of
    its space, or was scaled right after. Data are known by their values.
    """
    if operation.name not in DISTANCES or len(operation.operands) != 2 or not (color := color_operand(operation)):
        return None
    prediction, data = sorted(operation.operands, key=lambda operand: not operand.requires_grad)
    three_channels = len(prediction.channels) == len(data.channels) == 3
    if not prediction.requires_grad or data.requires_grad or not color.known_by or not three_channels:
        return None
    scales = _scales(color, prediction, data)
    return ColorMismatch(color.space, *scales, prediction.channels, data.channels) if scales else None


def _scales(color: ColorOperand, prediction: Operand, data: Operand) -> tuple[str, str] | None:
    """Return the scales of prediction and data where they differ."""
    raw_prediction, raw_data = (ColorOperand(color.space, "", side.channels).raw for side in (prediction, data))
    if _comes_straight_out_of(color.known_by, prediction) and not _comes_straight_out_of(color.known_by, data):
        if color.space == "lab" and _is_8_bit_lab(data) and _has_signed_chroma(prediction):
            return "in its own units", "in 8 bits"
        return ("in its own units", "scaled to about 1") if raw_prediction and _is_scaled(data) else None
    if _was_scaled_after(color.known_by, prediction) and not _was_scaled_after(color.known_by, data):
        return ("scaled to about 1", "in its own units") if raw_data and _is_scaled(prediction) else None
    return None


def _callers(operand: Operand) -> list[str]:
    return [name.removesuffix("()") for name in operand.origin if name.endswith("()")]


def _comes_straight_out_of(conversion: str, operand: Operand) -> bool:
    return _callers(operand)[:1] == [conversion]


def _was_scaled_after(conversion: str, operand: Operand) -> bool:
    return conversion in _callers(operand)[1:] and operand.origin[0] in _AFFINE


def _is_scaled(operand: Operand) -> bool:
    return operand.overall.magnitude <= _SCALED


def _has_signed_chroma(operand: Operand) -> bool:
    """Whether a or b falls below zero, which 8-bit LAB, shifted by 128, never does."""
    return any(channel.minimum < -1 for channel in operand.channels[1:])


def _is_8_bit_lab(operand: Operand) -> bool:
    """Whether three channels are LAB as OpenCV stores it: L · 255 / 100, a + 128, b + 128."""
    lightness, *chroma = operand.channels
    return (
        lightness.maximum > 100.5
        and all(channel.minimum >= -0.5 and channel.maximum <= 255.5 for channel in operand.channels)
        and all(abs(channel.mean - 128) < 40 and channel.std < 50 for channel in chroma)
    )
