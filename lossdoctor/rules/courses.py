"""How each component has fared by the end of a run, or of a series of checkpoints."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from ..learned import LEARNED
from .base import Case, percent
from .shares import Standing, standings

if TYPE_CHECKING:
    from ..facts.gradients import ObjectiveGradients
    from ..records import ComponentReport, ObjectiveReport
    from ..trial_records import TrajectoryPoint, Trial


class Course(NamedTuple):
    """One component from the first measurement of a trajectory to the last."""

    first: ObjectiveReport
    last: Standing
    ending: tuple[float, ...]  #: its shares at the last two measurements; one where there are but two in all
    point: TrajectoryPoint  #: the last

    @property
    def name(self) -> str:
        """The component."""
        return self.last.component.name

    @property
    def unsatisfied(self) -> bool:
        """Whether it still asks for something (see `_is_unsatisfied`)."""
        return self._is_unsatisfied(self.last.component)

    @property
    def unsatisfied_others(self) -> list[str]:
        """Those of the others that still ask for something."""
        return [other.name for other in self.last.others if self._is_unsatisfied(other)]

    @property
    def words(self) -> str:
        """The two shares and when they were measured."""
        before = self.first.component(self.name)
        share = before.grad_share if before else None
        start = "" if share is None else f", {percent(share)} at the start"
        return f"{percent(self.last.share)} of the gradient at {self.point.source or f'step {self.point.step}'}{start}"

    @property
    def evidence(self) -> dict[str, Any]:
        """What is known of it at the end."""
        return {"grad_share": self.last.share, "step": self.point.step, "weight": self.last.component.weight}

    def advice(self, gradient: str) -> str:
        """Return what to do, where `gradient` has grown too large."""
        return (
            "Weights that balance the start do not balance the end: let one follow a schedule, or look at what makes "
            f"{gradient} grow. At the end, a weight of about {self.last.fair_weight:.2g} would give it an equal share."
        )

    def _is_unsatisfied(self, component: ComponentReport) -> bool:
        """Whether less than half of a component is gone since the first measurement.

        The gradient of what has been learned vanishes: that it has hardly a share left is no fault.
        """
        before = self.first.component(component.name)
        if before is None or before.value is None or component.value is None:
            return False
        return before.value - component.value < LEARNED * abs(before.value)


def later_courses(case: Case, found: Iterable[Standing]) -> Iterator[Course]:
    """Yield the course of every rival of every objective that does not play against another one (GANs).

    Those that have been found at the start are left out.
    """
    known = {(standing.objective, standing.component.name) for standing in found}
    yield from (course for course in _all_courses(case) if (course.last.objective, course.name) not in known)


def _all_courses(case: Case) -> Iterator[Course]:
    for gradients in case.gradients if case.trial else ():
        curve = case.trial.curve(gradients.name) if case.trial else None
        if case.trial and not (curve and curve.adversarial):
            yield from _courses(case, case.trial, gradients)


def _courses(case: Case, trial: Trial, gradients: ObjectiveGradients) -> Iterator[Course]:
    points = trial.trajectory
    tables = [table for point in points if (table := point.objective(gradients.name)) is not None]
    if len(points) < 2 or len(tables) < len(points):
        return
    endings = [
        {standing.component.name: standing for standing in standings(case, gradients, table)}
        for table in tables[1:][-2:]
    ]
    for name, last in endings[-1].items():
        if all(name in ending for ending in endings):
            yield Course(tables[0], last, tuple(ending[name].share for ending in endings), points[-1])
