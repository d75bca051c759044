"""Facts of trials for the tests of rules, written down as what a rule sees of them.

    tried(curve(total=(4.0, 2.0, 1.0), a=(4.0, 2.0, 1.0)), floors={"total": {"a": 0.0}})

Plain numbers, as a trial hands them over; no torch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from lossdoctor import balance
from lossdoctor.rules.base import Case
from lossdoctor.trial_records import Curve, Number, TrajectoryPoint, Trial
from lossdoctor.verdicts import judge_components

from .cases import case, gradients


def curve(
    *,
    weights: Mapping[str, float] | None = None,
    roles: Mapping[str, str] | None = None,
    adversarial: bool = False,
    trained: int = 100,
    **components: Sequence[Number],
) -> Curve:
    """Return the curve of an objective whose total is Σ wᵢ·Lᵢ; a total that is not finite is None."""
    weights = {name: (weights or {}).get(name, 1.0) for name in components}
    steps = range(max(map(len, components.values())))
    totals = [[(weights[name], values[step]) for name, values in components.items()] for step in steps]
    return Curve(
        objective="total",
        steps=tuple(steps),
        total=tuple(None if any(v is None for _, v in row) else sum(w * v for w, v in row) for row in totals),
        components={name: tuple(values) for name, values in components.items()},
        weights=weights,
        roles={name: (roles or {}).get(name) for name in components},
        trained=trained,
        adversarial=adversarial,
    )


def point(
    step: int, *, weights: Mapping[str, float] | None = None, **components: tuple[float, float]
) -> TrajectoryPoint:
    """Return what was measured at a step: every component's value and the norm of its gradient."""
    return TrajectoryPoint(step, (balance.summarize(gradients(weights=weights, **components)),))


def tried(
    *curves: Curve,
    points: Sequence[TrajectoryPoint] = (),
    steps: int | None = None,
    examined: Case | None = None,
    **facts: Any,
) -> Case:
    """Return a case with a trial; without points, the values at the ends of the curves are what was measured."""
    points = points or tuple(_at_an_end(curves, end) for end in (0, -1))
    made = len(curves[0].steps) - 1 if steps is None and curves else steps or 0
    trial = Trial(
        kind="overfit-batch",
        planned=made,
        steps=made,
        curves=curves,
        trajectory=tuple(points),
        verdicts=tuple(judge_components(points, facts.get("floors") or {}, ())),
        **facts,
    )
    return replace(
        examined or case(gradients(**{name: (1.0, 1.0) for c in curves for name in c.components})), trial=trial
    )


def _at_an_end(curves: Sequence[Curve], end: int) -> TrajectoryPoint:
    objectives = [
        balance.summarize(
            gradients(
                weights=c.weights,
                roles={k: v for k, v in c.roles.items() if v},
                **{n: (v[end], 1.0) for n, v in c.components.items()},
            )
        )
        for c in curves
    ]
    return TrajectoryPoint(c.steps[end] if (c := curves[0]) else 0, tuple(objectives))
