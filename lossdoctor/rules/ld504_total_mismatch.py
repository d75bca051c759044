"""LD504: what is backpropagated is not the weighted sum of the components."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar

from ..records import Finding, Severity
from .base import Case, Rule, listing, percent

if TYPE_CHECKING:
    from ..facts.probes import Total, TotalComponent

#: What rounding may leave of a component with weight 0.
_ROUNDING = 1e-6


class TotalMismatch(Rule):
    """What is backpropagated is not Σ weight · component: a term is missing, counted twice, or has another weight.

    A training step that adds up its losses by hand forgets one, adds one twice (`loss += a`; `total = loss + a`),
    multiplies by the weight in two places (0.1 becomes 0.01), or not at all. The logs look right, because the
    components are: only the total is not what the config says.

    `loss.total` names the function that returns the scalar of the real training step. Its gradient is taken apart into
    those of the components by least squares, which gives every component the coefficient that it really has. Where two
    components have the same gradient, only their joint coefficient can be told. A gradient that is left over belongs to
    no component. A total that is told the weights, (model, batch, weights), is also asked whether it grows in
    proportion to each of them: with a weight of 1, its square shows nowhere else.

    A factor that all components have in common (times the batch size, divided by the steps of an accumulation) is a
    note: only the learning rate feels it.

    Remedy: add up the components once, each times its weight, or correct the weight in the config to what is meant.

    Options: `tolerance` (0.05) of a coefficient, relative. `rest_share` (0.02) of the gradient that may belong to no
    component; rounding leaves less than a tenth of either.
    """

    code: ClassVar[str] = "LD504"
    name: ClassVar[str] = "total-mismatch"
    severity: ClassVar[Severity] = Severity.ERROR
    requires: ClassVar[tuple[str, ...]] = ("gradients", "totals")

    tolerance: float = 0.05
    rest_share: float = 0.02

    def check(self, case: Case) -> Iterator[Finding]:
        """Yield one finding for all that is wrong with the total of an objective."""
        examination = case.examination
        for total in (examination.totals or ()) if examination else ():
            factor = self._common_factor(total)
            wrong = [(c, text) for c in total.components if (text := self._describe(c, factor))]
            joint = total.joint if total.joint and not self._is(total.joint.effective, factor) else None
            if wrong or joint or total.residual > self.rest_share:
                yield self._report(case, total, wrong, factor)
            elif factor != 1:
                yield self._scaled(case, total, factor)

    def _is(self, value: float, expected: float) -> bool:
        return abs(value - expected) <= self.tolerance * max(abs(expected), abs(value))

    def _common_factor(self, total: Total) -> float:
        """Return the factor that most components have in common: 1 wherever one of them has exactly its weight."""
        ratios = [c.effective / c.weight for c in total.components if c.effective is not None and c.weight]
        ratios += [total.joint.effective] if total.joint else []
        if not ratios or any(self._is(ratio, 1.0) for ratio in ratios):
            return 1.0
        alike = Counter({ratio: sum(self._is(other, ratio) for other in ratios) for ratio in ratios})
        ratio, count = alike.most_common(1)[0]
        return ratio if abs(ratio) > self.tolerance and count > 1 and 2 * count > len(ratios) else 1.0

    def _describe(self, component: TotalComponent, factor: float) -> str:
        """Return what is wrong with the coefficient of a component, "" where nothing is."""
        weight, effective, response = component.weight, component.effective, component.response
        expected = weight * factor
        if not weight:  # nothing is in proportion to zero
            counts = effective is not None and abs(effective) > _ROUNDING
            return f"has the coefficient {effective:.4g} in place of 0" if counts else ""
        if effective is not None and not self._is(effective, expected):
            if abs(effective) <= self.tolerance * abs(expected):
                return "is missing"
            if self._is(effective, 2 * expected):
                return f"is counted twice ({effective:.4g} in place of {expected:.4g})"
            if self._is(effective, -expected):
                return f"has the wrong sign ({effective:.4g} in place of {expected:.4g})"
            if self._is(effective, weight * expected):
                return f"has its weight applied twice ({effective:.4g} in place of {expected:.4g})"
            if self._is(effective, factor):
                return f"has its weight not applied ({effective:.4g} in place of {expected:.4g})"
            return f"has the coefficient {effective:.4g} in place of {expected:.4g}"
        # Doubled, a weight that is squared makes the term four times as large: three times the growth that it should.
        if response is not None and not self._is(response, factor) and abs(response) > self.tolerance:
            return f"does not grow in proportion to its weight ({response:.3g} times the growth it should have)"
        return ""

    def _report(self, case: Case, total: Total, wrong: list[tuple[TotalComponent, str]], factor: float) -> Finding:
        faults = [f"{component.name} {text}" for component, text in wrong]
        names = [component.name for component, _ in wrong]
        if total.joint and not self._is(total.joint.effective, factor):
            names += [name for name in total.joint.components if name not in names]
            faults.append(
                f"{listing(total.joint.components)} together have {total.joint.effective:.4g} times their weighted sum "
                "(their gradients are alike)"
            )
        if total.residual > self.rest_share:
            faults.append(f"{percent(total.residual)} of its gradient belongs to no component")
        return self.finding(
            names or [component.name for component in total.components],
            f"what is backpropagated is not Σ weight · component: {'; '.join(faults)}",
            objective=total.objective,
            evidence=_evidence(total, factor),
            remedy="Add up every component once, times its weight"
            + (", or return what is missing here as a component of its own" if total.residual > self.rest_share else "")
            + ". If the total is what is meant, correct the weights in the config.",
            location=case.locate("loss", "total"),
        )

    def _scaled(self, case: Case, total: Total, factor: float) -> Finding:
        return self.finding(
            [component.name for component in total.components],
            f"what is backpropagated is {factor:.4g} times Σ weight · component: it scales the learning rate",
            objective=total.objective,
            severity=Severity.NOTE,
            evidence=_evidence(total, factor),
            remedy="Nothing, if the learning rate was chosen with this factor.",
            location=case.locate("loss", "total"),
        )


def _evidence(total: Total, factor: float) -> dict[str, object]:
    responses = {c.name: c.response for c in total.components if c.response is not None}
    return {
        "expected": {c.name: c.weight for c in total.components},
        "effective": {c.name: c.effective for c in total.components if c.effective is not None},
        **({"joint": {" + ".join(total.joint.components): total.joint.effective}} if total.joint else {}),
        "rest": total.residual,
        **({"factor": factor} if factor != 1 else {}),
        **({"growth_with_weight": responses} if responses else {}),
    }
