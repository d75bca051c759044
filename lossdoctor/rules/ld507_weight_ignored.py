"""LD507: a weight that changes nothing."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar

from ..records import Finding, Severity
from .base import Case, Rule, listing

if TYPE_CHECKING:
    from ..facts.probes import TotalComponent


class WeightIgnored(Rule):
    """The weight of a component is changed, and the scalar that is backpropagated stays the same.

    The weight is read from another key than the config's, is only a switch (`if weight > 0: total += loss`), or the
    component never enters the total. Whoever tunes it tunes nothing.

    Asked of a `loss.total` that is told the weights, (model, batch, weights): the weight of every component is doubled,
    or raised until its term would have the size of the total, and the total has to grow by what that adds.

    A term of weight 1 that has no factor is left alone while others have one: they are weighed against it.

    Remedy: multiply the component by the weight that the total is given.

    Options: `least_response` (0.001) of the growth that there should be; rounding leaves less.
    """

    code: ClassVar[str] = "LD507"
    name: ClassVar[str] = "weight-ignored"
    severity: ClassVar[Severity] = Severity.ERROR
    requires: ClassVar[tuple[str, ...]] = ("gradients", "totals")
    explains: ClassVar[tuple[str, ...]] = ("LD504",)

    least_response: float = 0.001

    def check(self, case: Case) -> Iterator[Finding]:
        """Yield one finding for all weights of an objective that change nothing."""
        examination = case.examination
        for total in (examination.totals or ()) if examination else ():
            ignored = [c for c in total.components if c.response is not None and abs(c.response) < self.least_response]
            counted = any(c.response is not None and c not in ignored for c in total.components)
            ignored = [c for c in ignored if not counted or not _is_reference(c)]
            if ignored:
                names = [component.name for component in ignored]
                what = f"weight of {names[0]} changes" if len(names) == 1 else f"weights of {listing(names)} change"
                yield self.finding(
                    names,
                    f"the {what} nothing: what is backpropagated stays the same when it is doubled",
                    objective=total.objective,
                    evidence={
                        "growth_with_weight": {c.name: c.response for c in ignored},
                        "weights": {c.name: c.weight for c in ignored},
                        "effective": {c.name: c.effective for c in ignored},
                    },
                    remedy="Multiply the component by the weight that the total is given, whatever its value.",
                    location=case.locate_weight(total.objective, names[0]),
                )


def _is_reference(component: TotalComponent) -> bool:
    """Whether it is the term that others are weighed against: it has a weight of 1, whatever is written."""
    has_weight = component.effective is None or math.isclose(component.effective, 1.0, rel_tol=0.05)
    return component.weight == 1 and has_weight and not component.is_switch
