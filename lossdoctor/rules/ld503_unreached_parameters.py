"""LD503: parameters that no component trains."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import ClassVar

from ..records import Finding, Severity
from .base import Case, Rule, percent


class UnreachedParameters(Rule):
    """Trainable parameters to which no component has a gradient path.

    They keep their initial values for the whole training: a branch whose output is not used, a head whose loss is
    missing from the total, a sub-network that runs under `torch.no_grad()`. Automatic differentiation says so exactly;
    parameters that are reached with a zero gradient do not count. It is a warning because a model may own a branch
    that this stage of training does not use.

    Parameters that `measure.parameters` does not select are left alone. So is a module with the very values of one that
    is trained: it is a copy, such as the target network of Q-learning or the average of a teacher, and is not trained
    but copied again.

    Remedy: add the component that should train them, or freeze them (`requires_grad_(False)`), which also saves
    optimizer state.

    Options: `least_share` (0) of all trainable scalars below which a leftover is not worth a message.
    """

    code: ClassVar[str] = "LD503"
    name: ClassVar[str] = "unreached-parameters"
    severity: ClassVar[Severity] = Severity.WARNING
    requires: ClassVar[tuple[str, ...]] = ("gradients", "parameters")

    least_share: float = 0.0

    def check(self, case: Case) -> Iterator[Finding]:
        """Yield one finding for all unreached parameters."""
        parameters = case.examination.parameters if case.examination else None
        if parameters is None or not parameters.unreached:
            return
        if not any(c.attached for o in case.objectives for c in o.components):
            return  # where nothing is attached at all, LD501 says so component by component
        unreached = {name: scalars for name, scalars in parameters.unreached.items() if name not in parameters.copies}
        count = sum(unreached.values())
        share = count / parameters.trainable
        if not unreached or share < self.least_share:
            return
        modules = Counter[str]()
        for name, scalars in unreached.items():
            modules[name.rsplit(".", 1)[0] if "." in name else name] += scalars
        largest = [name for name, _ in modules.most_common(3)]
        yield self.finding(
            [],
            f"no component reaches {count:,} trainable parameters ({percent(share)}), in {', '.join(largest)}"
            + (f" and {len(modules) - 3} more modules" if len(modules) > 3 else "")
            + ": they keep their initial values",
            objective=case.objectives[0].name if len(case.objectives) == 1 else "",
            evidence={
                "unreached": count,
                "trainable": parameters.trainable,
                "modules": dict(modules.most_common(10)),
            },
            remedy="Add the component that should train them, or freeze them with requires_grad_(False).",
            location=case.locate("model", "target"),
        )
