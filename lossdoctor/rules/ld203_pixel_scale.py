"""LD203: pixels in 0–255 where 0–1 is meant."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from ..config.keys import dotted
from ..losses.spaces import selected_channels
from ..records import Finding, Location, ObjectiveReport, Operand, Severity
from .base import Case, Rule, effect_of, listing
from .color_operands import color_operand
from .distances import data_side, distances

_IMAGE_CHANNELS = (1, 3, 4)


@dataclass(frozen=True)
class Pixels:
    """A distance between images in 0–255."""

    operation: str
    data: Operand
    location: Location | None


@dataclass(frozen=True)
class PixelScale(Rule):
    """Images are compared in 0–255, or with a `data_range` that is not the span of the values.

    An L1 in 0–255 is 255 times as large as in 0–1, an MSE 65,025 times: weights from a paper no longer mean what they
    meant, and the other components have no influence. Recognised by the data's side of a distance: a batch of images
    with one, three or four channels, from near 0 to near 255 and not beyond, every channel above 100 somewhere.

    A cause, judged by its effect: an error where the components hold, together, at least 99 % of the gradient or
    leave another component below 0.1 %; a warning at 95 % or 0.5 %; else a note.

    A `data_range` of SSIM that is not the span of the values blunts the term (255 on [0, 1]: loss 0.007 in place of
    0.47), which its own gradient shows and no balance does: a warning at least.

    Remedy: scale images to [0, 1] when they are loaded; leave `data_range` out, or set it to the span of the values.

    Options: `range_factor` (1.9) by which a `data_range` may be off: SSIM's constants grow with its square.
    """

    code: ClassVar[str] = "LD203"
    name: ClassVar[str] = "pixel-scale"
    severity: ClassVar[Severity] = Severity.ERROR
    requires: ClassVar[tuple[str, ...]] = ("gradients", "operations")
    explains: ClassVar[tuple[str, ...]] = ("LD101", "LD102", "LD104")
    overshadows: ClassVar[tuple[str, ...]] = ("LD102", "LD104")

    range_factor: float = 1.9

    def check(self, case: Case) -> Iterator[Finding]:
        """Yield one finding for the components of an objective in 0–255, and one for each wrong data_range."""
        for objective in case.objectives:
            found = {
                component.name: pixels
                for component in objective.components
                if component.weight != 0 and (pixels := self._pixels(case, objective.name, component.name))
            }
            if found:
                yield self._unscaled(objective, found)
        yield from self._wrong_ranges(case)

    @staticmethod
    def _pixels(case: Case, objective: str, component: str) -> Pixels | None:
        for operation in distances(case, objective, component):
            data, color = data_side(operation), color_operand(operation)
            # Where a conversion made them, the colour space's own units are to blame.
            if data is not None and holds_8_bit_pixels(data) and not (color and color.raw):
                return Pixels(operation.name, data, operation.location or case.locate_component(component))
        return None

    def _unscaled(self, objective: ObjectiveReport, found: dict[str, Pixels]) -> Finding:
        effect = effect_of(objective, found)
        first = next(iter(found.values()))
        compare = "compares" if len(found) == 1 else "compare"
        return self.finding(
            list(found),
            f"{listing(found)} {compare} pixels in 0–255 ({first.data.name} of {first.operation} "
            f"runs to {first.data.overall.maximum:.4g}){effect.describe(found)}",
            objective=objective.name,
            severity=effect.severity,
            evidence={
                "operation": first.operation,
                "minimum": first.data.overall.minimum,
                "maximum": first.data.overall.maximum,
                "joint_share": effect.share,
            },
            remedy="Divide images by 255 when they are loaded, on both sides, and set the weights anew.",
            location=first.location,
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
    fills = operand.overall.minimum < 50 and operand.overall.maximum > 200
    return fills and all(channel.minimum >= -0.5 and 100 < channel.maximum <= 255.5 for channel in channels)
