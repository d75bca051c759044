"""LD901: a weight schedule that the planned steps never carry out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from ..config.keys import dotted
from ..records import Finding, Severity
from .base import Case, Rule

if TYPE_CHECKING:
    from ..config.schema import Schedule, TrialConfig


class ScheduleNeverActive(Rule):
    """A weight follows a schedule that never brings it to its value within the planned steps.

    A warm-up that starts after the last step, or that takes longer than the training, leaves the component at or near
    its first weight, often zero: it is computed and has no say, and the diagnosis, which uses the last weight, is that
    of a training that will never be. The schedule is simulated over `trial.steps` optimizer steps; no training runs.
    Where the config does not set `trial.steps`, the length of the training is not known and nothing is said about it.

    Whatever the steps, a schedule is never active that goes from 0 to 0, or that has no length and starts at step 0, so
    that its first weight is never used.

    Remedy: bring `start` and `over` within `trial.steps`, or plan as many steps as the training really has.

    Options: `reached` (0.99) of the way is as good as all of it, so that a schedule may end with the last step.
    """

    code: ClassVar[str] = "LD901"
    name: ClassVar[str] = "schedule-never-active"
    severity: ClassVar[Severity] = Severity.WARNING
    requires: ClassVar[tuple[str, ...]] = ("config",)
    settled_by: ClassVar[tuple[str, ...]] = ("measurement", "config")

    reached: float = 0.99

    def check(self, case: Case) -> Iterator[Finding]:
        """Yield a finding for every schedule that is not carried out."""
        for objective, component, schedule in _schedules(case):
            fault = self._fault(schedule, case.config.trial) if case.config else None
            if case.config and fault:
                key = dotted(case.weight_key(objective, component))
                yield self.finding(
                    [component],
                    f"the weight of {component} {fault}",
                    objective=objective,
                    evidence={**schedule.model_dump(by_alias=True), "steps": case.config.trial.steps},
                    remedy=f"Correct {key}, or set trial.steps to the steps that are really planned.",
                    fix=_without_schedule(case, component, key, schedule),
                    location=case.locate_weight(objective, component),
                )

    def _fault(self, schedule: Schedule, trial: TrialConfig) -> str | None:
        """Return what happens to the weight; None where the schedule does what it says, or where that is not known."""
        first, last, steps = schedule.from_, schedule.to, trial.steps
        if first == last:
            return None if last else "is 0 at both ends of its schedule: it is computed and has no say"
        if schedule.start + schedule.over == 0:
            return f"is {last:g} from the first step on: its schedule has no length, and {first:g} is never used"
        reached = (schedule.at(steps) - first) / (last - first)
        if "steps" not in trial.model_fields_set or reached >= self.reached:
            return None
        if reached == 0:
            return f"stays {first:g} for all {steps} steps and never becomes {last:g}: {_timetable(schedule)}"
        return f"is {schedule.at(steps):.3g} after all {steps} steps and never becomes {last:g}: {_timetable(schedule)}"


def _without_schedule(case: Case, component: str, key: str, schedule: Schedule) -> Mapping[str, Any] | None:
    """Return the change that says the same without a schedule; None where the schedule or the steps are a mistake."""
    if schedule.from_ == schedule.to == 0:
        return case.removal_fix(component)
    return {key: schedule.to} if schedule.start + schedule.over == 0 else None


def _timetable(schedule: Schedule) -> str:
    if schedule.shape == "step" or schedule.over == 0:
        return f"its schedule jumps at step {schedule.start + schedule.over}"
    return f"its schedule runs from step {schedule.start} to step {schedule.start + schedule.over}"


def _schedules(case: Case) -> Iterator[tuple[str, str, Schedule]]:
    """Yield (objective, component, schedule) of what was measured, or of what the config alone names."""
    for objective, component in _components(case):
        if schedule := case.schedule(objective, component):
            yield objective, component, schedule


def _components(case: Case) -> Iterator[tuple[str, str]]:
    if case.gradients:
        yield from ((gradients.name, name) for gradients in case.gradients for name in gradients.components)
    elif case.config:
        yield from (("total", name) for name in case.built_in or case.config.loss.weights)
