"""LD203: pixels in 0–255 where 0–1 is meant."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from ..config.schema import SsimComponent
from ..losses.spaces import selected_channels
from ..records import Finding, ObjectiveReport, Operand, Operation, Severity
from .base import Case, Rule, dotted, effect_of, listing


@dataclass(frozen=True)
class PixelScale(Rule):
    """Images are compared in 0–255, or with a `data_range` that is not the span of the values.

    An L1 in 0–255 is 255 times as large as in 0–1, an MSE 65,025 times: weights from a paper no longer mean what they meant, and the
    other components have no influence. Recognised by the data's side of a comparison: one, three or four channels, nothing
    below 0, and every channel reaching beyond 100 and not beyond 255.

    A cause, judged by its effect: an error where the components hold, together, at least 99 % of the gradient or leave another
    component below 0.1 %; a warning at 95 % or 0.5 %; else a note.

    A `data_range` of SSIM that is not the span of the values blunts the term (255 on [0, 1]: loss 0.007 in place of 0.47), which
    its own gradient shows and no balance does: a warning at least.

    Remedy: scale images to [0, 1] when they are loaded; leave `data_range` out, or set it to the span of the values.

    Options: `range_factor` by which a `data_range` may be off: SSIM's constants enter as its square.
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
                component.name: operation
                for component in objective.components
                for operation in case.operations(objective.name, component.name)
                if component.weight != 0 and any(map(holds_8_bit_pixels, operation.operands))
            }
            if found:
                yield self._unscaled(case, objective, found)
        yield from self._wrong_ranges(case)

    def _unscaled(self, case: Case, objective: ObjectiveReport, found: dict[str, Operation]) -> Finding:
        effect = effect_of(objective, found)
        operation = next(iter(found.values()))
        pixels = next(operand for operand in operation.operands if holds_8_bit_pixels(operand))
        message = (
            f"{listing(found)} {'compares' if len(found) == 1 else 'compare'} pixels in 0–255 "
            f"({pixels.name} of {operation.name} runs to {pixels.overall.maximum:.4g})"
        )
        if text := effect.describe():
            message += f": {text}"
        return self.finding(
            list(found),
            message,
            objective=objective.name,
            severity=effect.severity,
            evidence={
                "operation": operation.name,
                "minimum": pixels.overall.minimum,
                "maximum": pixels.overall.maximum,
                "joint_share": effect.share,
            },
            remedy="Divide images by 255 when they are loaded, on both sides, and set the weights anew.",
            location=operation.location or case.locate_component(next(iter(found))),
        )

    def _wrong_ranges(self, case: Case) -> Iterator[Finding]:
        for name, component in case.built_in.items():
            if not isinstance(component, SsimComponent) or component.data_range is None:
                continue
            channels = selected_channels(component.space, component.channels)
            span = 1.0 if component.normalize else max(channel.span for channel in channels)
            ratio = component.data_range / span
            if 1 / self.range_factor <= ratio <= self.range_factor:
                continue
            keys = ("loss", "components", name, "data_range")
            yield self.finding(
                [name],
                f"{name} is told that its values span {component.data_range:g}, but they span {span:g}: "
                f"its constants are {ratio**2:.3g} times what they should be, which blunts the term",
                severity=Severity.WARNING,
                evidence={"data_range": component.data_range, "span": span},
                remedy=f"Leave data_range out, or set it to {span:g}.",
                fix={dotted(*keys): span},
                location=case.locate(*keys),
            )


def holds_8_bit_pixels(operand: Operand) -> bool:
    """Return whether an operand is an image in 0–255: judged on the data's side, where ranges are what they are."""
    if operand.requires_grad or len(operand.shape) not in (3, 4) or len(operand.channels) not in (1, 3, 4):
        return False
    return all(channel.minimum >= 0 and 100 < channel.maximum <= 255 for channel in operand.channels)
