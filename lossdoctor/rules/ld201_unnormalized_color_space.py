"""LD201: colours compared in the raw units of their space."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, NamedTuple

from ..config.keys import dotted
from ..losses.spaces import selected_channels
from ..records import Finding, Location, ObjectiveReport, Severity
from .base import EXPECTED, MEASURED, Case, Expected, Limits, Rule, effect_of, listing
from .color_operands import RAW_SPAN, color_operand, describe_channels
from .distances import distances

_FULL_NAMES = {
    "lab": "CIELAB",
    "luv": "CIELUV",
    "hsv": "HSV",
    "xyz": "CIEXYZ",
    "ycbcr": "YCbCr",
    "yuv": "YUV",
}


class RawComponent(NamedTuple):
    """A component that compares a colour space in raw units."""

    name: str
    space: str  #: as a user knows it: "CIELAB"
    ranges: Mapping[str, str]  #: by channel
    largest: float  #: the largest span of a channel
    location: Location | None
    fix: Mapping[str, Any]


class UnnormalizedColorSpace(Rule):
    """A loss compares the channels of a colour space in that space's own units.

    In CIELAB L runs from 0 to 100 and a, b from about -110 to 100, where RGB runs from 0 to 1. A squared difference
    grows with the square of the range, so such a component is thousands of times larger than its neighbours, and the
    others (a perceptual term, say) have no influence: the loss falls, and the pictures turn out green and black.
    Colour conversions do not normalise. LUV, HSV (hue runs to 2π) and others differ in the same way.

    Recognised by the config (`space` with `normalize: false`), or, in the user's own code, by the conversion that an
    operand of a distance came through (`rgb_to_lab` and the like) or by data with the ranges of CIELAB. Channels that
    were scaled since, to [0, 1] or [-1, 1] or standardised, are no fault. SSIM adapts to its range and is left out.

    A cause, judged by its effect: an error where the components hold, together, at least 99 % of the gradient or
    leave another component below 0.1 %; a warning at 95 % or 0.5 %; else a note, since a weight may balance raw units
    on purpose. Where nothing was measured the effect is expected from the ranges, and a ratio of 1000 to another
    component is an error, of 100 a warning.

    Remedy: divide L by 100 and bring a and b to [0, 1] by (x + 128) / 256 on both sides, `normalize: true` for
    built-in components; then set the weights anew.
    """

    code: ClassVar[str] = "LD201"
    name: ClassVar[str] = "unnormalized-color-space"
    severity: ClassVar[Severity] = Severity.ERROR
    requires: ClassVar[tuple[str, ...]] = ("gradients", "operations")
    settled_by: ClassVar[tuple[str, ...]] = ("measurement", "config")
    explains: ClassVar[tuple[str, ...]] = ("LD101", "LD104", "LD903")
    overshadows: ClassVar[tuple[str, ...]] = ("LD102", "LD104", "LD903")

    def check(self, case: Case) -> Iterator[Finding]:
        """Yield one finding for all raw components of an objective."""
        for objective in case.objectives:
            yield from self._judge(case, objective, MEASURED)

    def check_expected(self, case: Case, expected: Expected) -> Iterator[Finding]:
        """Yield one finding for all raw components."""
        return self._judge(case, expected.objective, EXPECTED)

    def _judge(self, case: Case, objective: ObjectiveReport, limits: Limits) -> Iterator[Finding]:
        components = [component.name for component in objective.components if component.weight != 0]
        raw = [found for name in components if (found := self._raw(case, objective.name, name))]
        if raw:
            yield self._report(objective, raw, limits)

    def _raw(self, case: Case, objective: str, name: str) -> RawComponent | None:
        if name in case.built_in:
            return self._declared(case, objective, name)
        for operation in distances(case, objective, name):
            if (color := color_operand(operation)) and color.raw:
                largest = max(channel.maximum - channel.minimum for channel in color.channels)
                place = operation.location or case.locate_component(name)
                space = _FULL_NAMES.get(color.space, color.space)
                known = space if color.known_by else f"values with the ranges of {space}"
                return RawComponent(name, known, describe_channels(color.space, color.channels), largest, place, {})
        return None

    @staticmethod
    def _declared(case: Case, objective: str, name: str) -> RawComponent | None:
        component = case.color_component(name)
        if component is None or component.term in ("ssim", "ms_ssim") or component.normalize:
            return None
        channels = selected_channels(component.space, component.channels)
        largest = max(channel.maximum - channel.minimum for channel in channels)
        if largest <= RAW_SPAN:
            return None
        letters = [channel.letter for channel in channels]
        ranges = {channel.letter: f"{channel.minimum:.3g} … {channel.maximum:.3g}" for channel in channels}
        for operation in distances(case, objective, name):
            targets = [operand for operand in operation.operands if not operand.requires_grad and operand.channels]
            if targets and len(targets[0].channels) == len(letters):
                ranges = describe_channels(component.space, targets[0].channels, letters)
                break
        keys = ("loss", "components", name, "normalize")
        space = _FULL_NAMES.get(component.space, component.space)
        return RawComponent(name, space, ranges, largest, case.locate(*keys), {dotted(keys): True})

    def _report(self, objective: ObjectiveReport, raw: list[RawComponent], limits: Limits) -> Finding:
        names = [component.name for component in raw]
        effect = effect_of(objective, names, limits)
        spaces = listing(list(dict.fromkeys(component.space for component in raw)))
        widest = max(raw, key=lambda component: len(component.ranges))
        ranges = ", ".join(f"{channel} {span}" for channel, span in widest.ranges.items())
        compare = "compares" if len(raw) == 1 else "compare"
        fix = {key: value for component in raw for key, value in component.fix.items()}
        return self.finding(
            names,
            f"{listing(names)} {compare} {spaces} in raw units ({ranges}){effect.describe(names)}",
            objective=objective.name,
            severity=effect.severity,
            evidence={
                "channels": {component.name: dict(component.ranges) for component in raw},
                "joint_share": effect.share,
                "largest_span": max(component.largest for component in raw),
                **({"smallest_other": {effect.smallest.name: effect.smallest.grad_share}} if effect.smallest else {}),
                **({} if objective.value is None else {"total": objective.value}),
            },
            remedy="Bring every channel to about [0, 1] on both sides (CIELAB: L / 100, (a, b) + 128 over 256)"
            + (" with normalize: true" if fix else "")
            + ", then set the weights anew.",
            fix=fix if fix and effect.severity is not Severity.NOTE else None,
            location=raw[0].location,
        )
