"""LD205: a hue or an angle compared as if it lay on a line."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from ..config.keys import dotted
from ..records import Finding, ObjectiveReport, Severity
from .base import Case, Expected, Rule, listing
from .circles import circular_quantity
from .distances import DISTANCES, data_side
from .occurrences import Occurrence, is_weighted, is_whole, occurrences

if TYPE_CHECKING:
    from ..config.schema import BuiltInColorComponent
    from ..facts.operands import Operation
    from ..facts.statistics import Statistics

#: Channels of LAB that hold what a channel of HSV holds, with no end where the circle closes.
_IN_LAB = {"H": ("a", "b"), "S": ("a", "b"), "V": ("L",)}


@dataclass(frozen=True)
class OnALine:
    """A circular quantity in a plain distance."""

    quantity: str
    operation: str
    data: Statistics | None = field(compare=False)


class CircularQuantity(Rule):
    """A hue or an angle is compared by its plain difference, which does not know that its ends meet.

    Two reds with hues of 0.01 and 6.27 look alike, but their difference is 6.26, and its square 39 in place of 0.0005.
    The gradient then drives the prediction the long way round, through green and blue. The same goes for headings,
    phases and rotations at ±180°.

    Recognised for built-in components by `space: hsv` with H among the channels. In user code by a conversion to HSV
    or HLS that the operands came through; by `atan2`, `angle` or `rad2deg` as the last operation before a plain
    distance, where the targets span more than half a turn; by targets of one quantity that fill a full turn (±π,
    0…2π, ±180, 0…360) to 2 % at both ends; or by the component's name (yaw, heading, azimuth, bearing, hue, angle, …),
    where the targets stay within a turn and span four fifths of it: what a few uniform samples do. Joint angles, which
    have a stop, are no circle. Differences that are wrapped before they are averaged are left alone; a mask wraps none.

    Remedy: compare sine and cosine, or 1 - cos(a - b), or wrap the difference with remainder(d + π, 2π) - π; colours
    in LAB, where nothing wraps around.
    """

    code: ClassVar[str] = "LD205"
    name: ClassVar[str] = "circular-quantity"
    severity: ClassVar[Severity] = Severity.WARNING
    requires: ClassVar[tuple[str, ...]] = ("gradients", "operations")
    settled_by: ClassVar[tuple[str, ...]] = ("measurement", "config")

    def check(self, case: Case) -> Iterator[Finding]:
        """Yield a finding for the components that compare hue, and one for every plain distance of an angle."""
        if case.built_in:
            yield from self._declared(case, case.objectives)
            return
        for found in occurrences(case, _on_a_line):
            yield self._traced(found)

    def check_expected(self, case: Case, expected: Expected) -> Iterator[Finding]:
        """Yield a finding for the components that compare hue."""
        return self._declared(case, [expected.objective])

    def _declared(self, case: Case, objectives: Sequence[ObjectiveReport]) -> Iterator[Finding]:
        names = [
            component.name
            for objective in objectives
            for component in objective.components
            if component.weight != 0 and _compares_hue(case.color_component(component.name))
        ]
        if names:
            compare = "compares" if len(names) == 1 else "compare"
            yield self.finding(
                names,
                f"{listing(names)} {compare} hue by its plain difference: two reds, on either side of 0, are as far "
                "apart as can be",
                evidence={"space": "hsv", "channels": {name: _letters(case.built_in[name]) for name in names}},
                remedy="Compare colours in LAB, where a and b hold hue and saturation and nothing wraps around.",
                fix={key: value for name in names for key, value in _in_lab(name, case.built_in[name]).items()},
                location=case.locate("loss", "components", names[0], "space"),
            )

    def _traced(self, found: Occurrence[OnALine]) -> Finding:
        cause = found.cause
        ends = f" ({cause.data.minimum:.3g} and {cause.data.maximum:.3g} are neighbours)" if cause.data else ""
        return self.finding(
            found.components,
            f"{found.does('compare')} {cause.quantity} in {cause.operation} by its plain difference, "
            f"which does not wrap around{ends}: the gradient takes the long way round",
            objective=found.objective,
            evidence={"quantity": cause.quantity, "operation": cause.operation}
            | ({"target": [cause.data.minimum, cause.data.maximum]} if cause.data else {}),
            remedy="Compare sine and cosine, or use 1 - cos(a - b), or wrap the difference: remainder(d + π, 2π) - π.",
            location=found.location,
        )


def _compares_hue(component: BuiltInColorComponent | None) -> bool:
    return component is not None and component.space == "hsv" and "H" in _letters(component)


def _letters(component: Any) -> list[str]:
    return list(component.channels or ("H", "S", "V"))


def _in_lab(name: str, component: Any) -> dict[str, Any]:
    """Return the change that compares the same of a colour in LAB, scaled."""
    keys = ("loss", "components", name)
    fix: dict[str, Any] = {dotted((*keys, "space")): "lab"}
    if not component.normalize:
        fix[dotted((*keys, "normalize"))] = True
    if component.channels is not None:
        wanted = {letter for channel in component.channels for letter in _IN_LAB[channel]}
        fix[dotted((*keys, "channels"))] = [letter for letter in ("L", "a", "b") if letter in wanted]
    return fix


def _on_a_line(operation: Operation) -> OnALine | None:
    averaged = is_whole(operation) or is_weighted(operation)
    if operation.name not in DISTANCES or not averaged or not operation.operands:
        return None
    if (quantity := circular_quantity(operation)) is None:
        return None
    data = data_side(operation)
    return OnALine(quantity, operation.name, _hue_or_all(quantity, data.channels, data.overall) if data else None)


def _hue_or_all(quantity: str, channels: tuple[Statistics, ...], overall: Statistics) -> Statistics:
    return channels[0] if quantity == "a hue" and channels else overall
