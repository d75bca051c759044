"""LD203: pixels in 0–255 where 0–1 is meant."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from ..config.keys import dotted
from ..losses.spaces import selected_channels
from ..records import Finding, Location, ObjectiveReport, Severity
from .base import Case, Rule, effect_of, listing
from .color_operands import color_operand
from .distances import DISTANCES, data_side

if TYPE_CHECKING:
    from ..facts.operands import Operand, Operation

_IMAGE_CHANNELS = (1, 3, 4)

#: What was scaled to be like RGB in [0, 1] or [-1, 1], and a little more, ends here.
_SCALED = 2.0

#: Factor between the usual ranges 1 and 255 at which values are nearer to the other one.
_BETWEEN_RANGES = 16


class Pixels(NamedTuple):
    """A distance between images in 0–255."""

    operation: str
    data: Operand
    location: Location | None


class PixelScale(Rule):
    """Images are compared in 0–255, or with a `data_range` that is not the span of the values.

    An L1 in 0–255 is 255 times as large as in 0–1, an MSE 65,025 times: weights from a paper no longer mean what they
    meant, and the other components have no influence. Recognised by the data's side of a distance: a batch of images
    with one, three or four channels, from near 0 to near 255 and not beyond, every channel above 100 somewhere; the
    same at 65,025, where they were multiplied by 255 twice; the same where it enters a conversion of colours, which
    takes [0, 1]; or boxes in pixels, four numbers a row, the corners in
    order, beyond what normalised coordinates can be.

    A cause, judged by its effect: an error where the components hold, together, at least 99 % of the gradient or
    leave another component below 0.1 %; a warning at 95 % or 0.5 %; else a note.

    A `data_range` of SSIM that is not the span of the values blunts the term (255 on [0, 1]: loss 0.007 in place of
    0.47), which its own gradient shows and no balance does: a warning at least. In user code an SSIM is known by its
    constants, (0.01 R)² and (0.03 R)², whatever function adds them, and R is held against the means that they are added
    to. Dark images have small means, so there it takes a factor of 16, halfway between the usual ranges 1 and 255.

    Remedy: scale images to [0, 1] when they are loaded; leave `data_range` out, or set it to the span of the values.

    Options: `range_factor` (1.9) by which a `data_range` may be off: SSIM's constants grow with its square.
    """

    code: ClassVar[str] = "LD203"
    name: ClassVar[str] = "pixel-scale"
    severity: ClassVar[Severity] = Severity.ERROR
    requires: ClassVar[tuple[str, ...]] = ("gradients", "operations")
    explains: ClassVar[tuple[str, ...]] = ("LD101", "LD102", "LD104", "LD201", "LD604")
    overshadows: ClassVar[tuple[str, ...]] = ("LD102", "LD104")

    range_factor: float = 1.9

    def check(self, case: Case) -> Iterator[Finding]:
        """Yield one finding for the components of an objective in 0–255, and one for each wrong data_range."""
        for objective in case.objectives:
            found = {
                component.name: pixels
                for component in objective.components
                if component.weight != 0 and (pixels := _pixels(case, objective.name, component.name))
            }
            if found:
                yield self._unscaled(objective, found)
        yield from self._wrong_ranges(case)
        for objective in case.objectives:
            for component in objective.components:
                if component.weight != 0 and not case.built_in:
                    yield from self._wrong_constants(case, objective.name, component.name)

    def _unscaled(self, objective: ObjectiveReport, found: dict[str, Pixels]) -> Finding:
        effect = effect_of(objective, found)
        first = next(iter(found.values()))
        takes = "takes" if len(found) == 1 else "take"
        return self.finding(
            list(found),
            f"{listing(found)} {takes} {_kind(first.data)} ({first.data.name} of {first.operation} "
            f"runs to {first.data.overall.maximum:.4g}){effect.describe(found)}",
            objective=objective.name,
            severity=effect.severity,
            evidence={
                "operation": first.operation,
                "minimum": first.data.overall.minimum,
                "maximum": first.data.overall.maximum,
                "joint_share": effect.share,
            },
            remedy="Divide images by 255 when they are loaded, boxes by the size of the image, once and on both sides, "
            "and set the weights anew.",
            location=first.location,
        )

    def _wrong_constants(self, case: Case, objective: str, component: str) -> Iterator[Finding]:
        """Yield a finding for an SSIM of user code whose constants are for another range than its means have."""
        means = [operation for operation in case.operations(objective, component) if operation.name == "ssim"]
        if not means:
            return
        # 2 μₓ μᵧ and μₓ² + μᵧ² are twice the square of a mean of the images.
        span = math.sqrt(max(operation.operands[0].overall.maximum for operation in means) / 2)
        data_range = float(means[0].arguments["data_range"])
        if not span or 1 / _BETWEEN_RANGES <= data_range / span <= _BETWEEN_RANGES:
            return
        consequence = "blunts the term" if data_range > span else "lets noise in flat areas decide"
        yield self.finding(
            [component],
            f"{component} is an SSIM with the constants of a data_range of {data_range:.4g}, "
            f"but the means of its images reach {span:.3g}, which {consequence}",
            objective=objective,
            severity=Severity.WARNING,
            evidence={"data_range": data_range, "largest_mean": span},
            remedy="Set data_range (max_val) to the span of the values: 1 for images in [0, 1].",
            location=means[0].location or case.locate_component(component),
        )

    def _wrong_ranges(self, case: Case) -> Iterator[Finding]:
        for name, component in case.built_in.items():
            if component.term not in ("ssim", "ms_ssim") or component.data_range is None or component.weight == 0:
                continue
            channels = selected_channels(component.space, component.channels)
            span = 1.0 if component.normalize else max(channel.span for channel in channels)
            ratio = component.data_range / span
            if 1 / self.range_factor <= ratio <= self.range_factor:
                continue
            keys = ("loss", "components", name, "data_range")
            consequence = "blunts the term" if ratio > 1 else "lets noise in flat areas decide"
            yield self.finding(
                [name],
                f"{name} is told that its values span {component.data_range:g}, but they span {span:g}: "
                f"its constants are {ratio**2:.3g} times what they should be, which {consequence}",
                severity=Severity.WARNING,
                evidence={"data_range": component.data_range, "span": span},
                remedy=f"Leave data_range out, or set it to {span:g}.",
                fix={dotted(keys): span},
                location=case.locate(*keys),
            )


def _pixels(case: Case, objective: str, component: str) -> Pixels | None:
    """Return the first 8-bit images or boxes that a component converts to another colour space, or compares."""
    for operation in case.operations(objective, component):
        data = data_side(operation)
        if data is None:
            continue
        place = operation.location or case.locate_component(component)
        if operation.name == "color conversion" and holds_8_bit_pixels(data):
            return Pixels(str(operation.arguments["function"]), data, place)
        if operation.name in DISTANCES and _is_in_pixels(operation, data):
            return Pixels(operation.name, data, place)
    return None


def _is_in_pixels(operation: Operation, data: Operand) -> bool:
    color = color_operand(operation)
    # Where a conversion made them, the colour space's own units are to blame.
    if color is not None and color.raw:
        return False
    scaled = data.overall.maximum * float(operation.arguments.get("factor", 1.0)) <= _SCALED
    return not scaled and (holds_8_bit_pixels(data) or holds_boxes(data))


def _kind(data: Operand) -> str:
    if holds_boxes(data):
        return "boxes in pixels"
    return "pixels in 0–255" if data.overall.maximum <= 255.5 else "pixels that were multiplied by 255 twice"


def holds_boxes(operand: Operand) -> bool:
    """Return whether an operand holds the corners of boxes in pixels, N×4 or B×N×4, top left and bottom right.

    Normalised coordinates end at 1, the offsets of anchors lie near 0; an object of 8 pixels is a small one.
    """
    if operand.shape[-1:] != (4,) or len(operand.shape) not in (2, 3):
        return False
    sides = operand.channels if len(operand.shape) == 2 else ()
    in_order = not sides or all(sides[k].mean < sides[k + 2].mean for k in (0, 1))
    return in_order and operand.overall.minimum >= 0 and operand.overall.maximum > 8


def holds_8_bit_pixels(operand: Operand) -> bool:
    """Return whether an operand is a batch of 8-bit images, N×C×H×W, N×H×W×C or N×C×T×H×W, as floats.

    Over several batches images are near black somewhere and near white somewhere; depths, disparities and
    temperatures seldom fill that range.
    """
    if len(operand.shape) not in (4, 5) or not operand.dtype.startswith(("float", "bfloat")):
        return False
    if len(operand.channels) not in _IMAGE_CHANNELS and operand.shape[-1] not in _IMAGE_CHANNELS:
        return False
    if 4 in (len(operand.channels), operand.shape[-1]) and not operand.integral:
        return False  # four fractions are the sides of a box sooner than RGBA
    channels = operand.channels if len(operand.channels) in _IMAGE_CHANNELS else (operand.overall,)
    scale = 255 if operand.overall.maximum > 255.5 else 1  # multiplied by 255 twice
    fills = operand.overall.minimum < 50 * scale and operand.overall.maximum > 200 * scale
    return fills and all(
        channel.minimum >= -0.5 * scale and 100 * scale < channel.maximum <= 255.5 * scale for channel in channels
    )
