"""LD201: colours compared in the raw units of their space."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from ..config.schema import ColorComponent
from ..losses.spaces import selected_channels
from ..records import Finding, Location, ObjectiveReport, Severity
from .base import Case, Rule, dotted, effect_of, listing
from .color_operands import RAW_SPAN, color_operands, describe_channels

_FULL_NAMES = {
    "lab": "CIELAB",
    "luv": "CIELUV",
    "hsv": "HSV",
    "xyz": "CIEXYZ",
    "ycbcr": "YCbCr",
    "yuv": "YUV",
}


@dataclass(frozen=True)
class RawComponent:
    """A component that compares a colour space in raw units."""

    name: str
    space: str
    ranges: Mapping[str, str]  #: by channel
    largest: float  #: the largest span of a channel
    location: Location | None
    fix: Mapping[str, Any]


@dataclass(frozen=True)
class UnnormalizedColorSpace(Rule):
    """A loss compares the channels of a colour space in that space's own units.

    In CIELAB L runs from 0 to 100 and a, b from about -110 to 100, where RGB runs from 0 to 1. A squared difference grows with the
    square of the range, so such a component is thousands of times larger than its neighbours, and the others (a perceptual
    term, say) have no influence: the loss falls, and the pictures turn out green and black. Colour conversions do not normalise.
    LUV, HSV (hue runs to 2π) and others differ in the same way.

    Recognised by the config (`space` with `normalize: false`), or, in the user's own code, by the conversion that an operand
    came through (`rgb_to_lab` and the like) or by data with the ranges of CIELAB.

    A cause, judged by its effect: an error where the components hold, together, at least 99 % of the gradient or leave another
    component below 0.1 %; a warning at 95 % or 0.5 %; else a note, since a weight may balance raw units on purpose.

    Remedy: divide L by 100 and bring a and b to [0, 1] by (x + 128) / 256 on both sides, `normalize: true` for built-in
    components; then set the weights anew.
    """

    code: ClassVar[str] = "LD201"
    name: ClassVar[str] = "unnormalized-color-space"
    severity: ClassVar[Severity] = Severity.ERROR
    requires: ClassVar[tuple[str, ...]] = ("gradients", "operations")
    explains: ClassVar[tuple[str, ...]] = ("LD101", "LD104")
    overshadows: ClassVar[tuple[str, ...]] = ("LD102", "LD104")

    def check(self, case: Case) -> Iterator[Finding]:
        """Yield one finding for all raw components of an objective."""
        for objective in case.objectives:
            components = [component.name for component in objective.components if component.weight != 0]
            raw = [found for name in components if (found := self._raw(case, objective.name, name))]
            if raw:
                yield self._report(objective, raw)

    def _raw(self, case: Case, objective: str, name: str) -> RawComponent | None:
        if name in case.built_in:
            return self._declared(case, objective, name)
        for operation in case.operations(objective, name):
            if raw := [operand for operand in color_operands(operation) if operand.raw]:
                largest = max(channel.maximum - channel.minimum for channel in raw[0].channels)
                ranges = describe_channels(raw[0].space, raw[0].channels)
                place = operation.location or case.locate_component(name)
                return RawComponent(name, raw[0].space, ranges, largest, place, {})
        return None

    @staticmethod
    def _declared(case: Case, objective: str, name: str) -> RawComponent | None:
        component = case.built_in[name]
        if not isinstance(component, ColorComponent) or component.normalize:
            return None
        channels = selected_channels(component.space, component.channels)
        largest = max(channel.maximum - channel.minimum for channel in channels)
        if largest <= RAW_SPAN:
            return None
        letters = [channel.letter for channel in channels]
        ranges = {channel.letter: f"{channel.minimum:.3g} … {channel.maximum:.3g}" for channel in channels}
        for operation in case.operations(objective, name):
            targets = [operand for operand in operation.operands if not operand.requires_grad and operand.channels]
            if targets and len(targets[0].channels) == len(letters):
                ranges = describe_channels(component.space, targets[0].channels, letters)
                break
        keys = ("loss", "components", name, "normalize")
        return RawComponent(name, component.space, ranges, largest, case.locate(*keys), {dotted(*keys): True})

    def _report(self, objective: ObjectiveReport, raw: list[RawComponent]) -> Finding:
        names = [component.name for component in raw]
        effect = effect_of(objective, names)
        spaces = listing(list(dict.fromkeys(_FULL_NAMES.get(component.space, component.space) for component in raw)))
        widest = max(raw, key=lambda component: len(component.ranges))
        ranges = ", ".join(f"{channel} {span}" for channel, span in widest.ranges.items())
        message = f"{listing(names)} {'compares' if len(raw) == 1 else 'compare'} {spaces} in raw units ({ranges})"
        if text := effect.describe():
            message += f": {text}"
        return self.finding(
            names,
            message,
            objective=objective.name,
            severity=effect.severity,
            evidence={
                "channels": {component.name: dict(component.ranges) for component in raw},
                "joint_share": effect.share,
                "largest_span": max(component.largest for component in raw),
                **({"smallest_other": {effect.smallest.name: effect.smallest.grad_share}} if effect.smallest else {}),
                "total": objective.value,
            },
            remedy="Bring every channel to about [0, 1] on both sides (CIELAB: L / 100, (a, b) + 128 over 256)"
            + (" with normalize: true" if raw[0].fix else "")
            + ", then set the weights anew.",
            fix={key: value for component in raw for key, value in component.fix.items()} or None,
            location=raw[0].location,
        )
