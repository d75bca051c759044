"""From the numbers of a trial to a verdict per component."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from .learned import LEARNED, NOTICEABLE, reducible_gone
from .records import ComponentReport
from .trial_records import ComponentVerdict, Curve, Number, TrajectoryPoint


def judge_components(
    trajectory: Sequence[TrajectoryPoint],
    floors: Mapping[str, Mapping[str, float]],
    control: Sequence[Curve],
) -> Iterator[ComponentVerdict]:
    """Yield the verdict of every component from the first and the last measurement, which saw the same batches."""
    if not trajectory:
        return
    ends_without_input = {curve.objective: curve.components for curve in control}
    for objective in trajectory[0].objectives:
        last = trajectory[-1].objective(objective.name)
        after = {component.name: component for component in last.components} if last else {}
        for component in objective.components:
            values = ends_without_input.get(objective.name, {}).get(component.name)
            yield _judge(
                objective.name,
                component,
                after[component.name].value if component.name in after else None,
                floors.get(objective.name, {}).get(component.name),
                values[-1] if values else None,
            )


def _judge(objective: str, before: ComponentReport, end: Number, floor: Number, control: Number) -> ComponentVerdict:
    start, gone = before.value, reducible_gone(before.value, end, floor)
    return ComponentVerdict(
        objective=objective,
        component=before.name,
        start=start,
        end=end,
        fraction=end / start if start is not None and end is not None and start > 0 else None,
        floor=floor,
        gone=gone,
        control=control,
        input_used=_input_used(start, end, control),
        verdict=_word(start, end, gone),
    )


def _input_used(start: Number, end: Number, control: Number) -> bool | None:
    """Whether it fell further than without the input, by a noticeable part of the fall."""
    if start is None or end is None or control is None:
        return None
    return control - end > NOTICEABLE * max(start - end, 0.0) and control > end


def _word(start: Number, end: Number, gone: Number) -> str:
    if start is None or end is None:
        return "not finite"
    change = (end - start) / abs(start) if start else float(end != start)
    if gone is None and start > 0:
        gone = -change  # towards zero
    if change > NOTICEABLE:
        return "rose"
    if gone is not None and gone >= LEARNED:
        return "learned"
    return "stuck" if change > -NOTICEABLE else "fell"
