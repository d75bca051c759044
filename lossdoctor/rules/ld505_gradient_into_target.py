"""LD505: gradient that flows into the side that should stay as it is."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, ClassVar

from ..records import Finding, Location, Severity
from .base import Case, Rule, listing

if TYPE_CHECKING:
    from ..facts.gradients import ObjectiveGradients
    from ..facts.parameters import ParameterSize

#: Words in the name of a module that say what it is for: to be learned from.
_TEACHERS = frozenset({"teacher", "ema", "momentum", "reference", "ref", "frozen"})

#: The same, where it is a copy of another module. A "target_embedding" of a translation is not.
_COPIES = frozenset({"target", "tgt", "old", "slow"})


class GradientIntoTarget(Rule):
    """A component trains what it should only learn from: a teacher, a target network, a loss network.

    Where the target is computed by a network and neither detached nor frozen, the component has a second way to fall:
    the target moves towards the prediction. A teacher forgets, a target network chases the online one, self-supervision
    collapses to a constant, a perceptual loss learns to see no difference.

    Recognised by the gradient path from the component to the parameters. In the model: a module whose name says that it
    is to be learned from (teacher, ema, momentum, reference, frozen), or that has the parameters of another one and is
    called target, tgt, old or slow. Outside the model: a comparison of which one side carries gradient through such
    parameters alone. A module that some component trains by itself, as in mutual learning, is left alone, and so are
    learned codebooks, prototypes, temperatures and weights, two-view losses and discriminators.

    Remedy: compute the target under torch.no_grad() or detach it, and call requires_grad_(False) on the network.
    """

    code: ClassVar[str] = "LD505"
    name: ClassVar[str] = "gradient-into-target"
    severity: ClassVar[Severity] = Severity.WARNING
    requires: ClassVar[tuple[str, ...]] = ("gradients", "operations", "parameters")

    def check(self, case: Case) -> Iterator[Finding]:
        """Yield a finding for every network that should stay as it is and is trained by some component."""
        parameters = case.examination.parameters if case.examination else None
        for gradients in case.gradients:
            for module in _teachers(parameters.sizes if parameters else {}):
                if names := _trained_by(gradients, module):
                    yield self._inside(case, gradients, module, names)
            yield from self._outside(case, gradients)

    def _inside(self, case: Case, gradients: ObjectiveGradients, module: str, names: list[str]) -> Finding:
        reached = [name for name in gradients.parameter_norms if name.startswith(f"{module}.")]
        operations = [operation for name in names for operation in case.operations(gradients.name, name)]
        return self.finding(
            names,
            f"gradient of {listing(names)} flows into {module}, the side that is the target: it should only be learned "
            "from (a teacher or target network)",
            objective=gradients.name,
            evidence={"module": module, "parameters": len(reached)},
            remedy=f"Compute the target under torch.no_grad(), and call {module}.requires_grad_(False).",
            location=next((operation.location for operation in operations if operation.location), None)
            or case.locate_component(names[0]),
        )

    def _outside(self, case: Case, gradients: ObjectiveGradients) -> Iterator[Finding]:
        found: dict[str, tuple[int, Location | None]] = {}
        for name, weight in zip(gradients.components, gradients.weights, strict=True):
            for operation in case.operations(gradients.name, name) if weight else ():
                if operation.trained_outside:
                    found.setdefault(name, (operation.trained_outside, operation.location))
        if found:
            scalars, location = next(iter(found.values()))
            yield self.finding(
                list(found),
                f"gradient of {listing(found)} flows into the {scalars:,} parameters of a network outside the model, "
                "such as a loss network or a teacher, on the side of the target",
                objective=gradients.name,
                evidence={"scalars": scalars},
                remedy="Call requires_grad_(False) and eval() on the network.",
                location=location or case.locate_component(next(iter(found))),
            )


def _teachers(sizes: Mapping[str, ParameterSize]) -> list[str]:
    """Return the outermost modules that are there to be learned from."""
    modules = {name.rsplit(".", depth)[0] for name in sizes for depth in range(1, name.count(".") + 1)}
    teachers = {module for module in modules if _words(module) & _TEACHERS}
    teachers |= {module for module in modules if _words(module) & _COPIES and _is_copy(module, modules, sizes)}
    return sorted(
        module for module in teachers if not any(module.startswith(f"{other}.") for other in teachers - {module})
    )


def _words(module: str) -> set[str]:
    """Return the words of a module's own name: "target_net" and "targetNet" have two."""
    own = module.rsplit(".", 1)[-1]
    return {word.lower() for word in re.findall(r"[A-Za-z][a-z]*|[A-Z]+", own)}


def _is_copy(module: str, modules: set[str], sizes: Mapping[str, ParameterSize]) -> bool:
    mine = _content(module, sizes)
    return any(_content(other, sizes) == mine for other in modules if other != module)


def _content(module: str, sizes: Mapping[str, ParameterSize]) -> dict[str, tuple[int, int]]:
    prefix = f"{module}."
    inside = {name: size for name, size in sizes.items() if name.startswith(prefix)}
    return {name.removeprefix(prefix): (size.scalars, size.dimensions) for name, size in inside.items()}


def _trained_by(gradients: ObjectiveGradients, module: str) -> list[str]:
    """Return the components that train a module beside others; none where some component trains it alone."""
    reaching: list[str] = []
    for k, name in enumerate(gradients.components):
        reached = [parameter for parameter, norms in gradients.parameter_norms.items() if norms[k] is not None]
        inside = [parameter for parameter in reached if parameter.startswith(f"{module}.")]
        if inside and len(inside) == len(reached):
            return []
        if inside and gradients.weights[k]:
            reaching.append(name)
    return reaching
