"""LD204: a loss network that is given images outside the range it was trained on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from ..records import Finding, Severity, Statistics
from .base import Case, Rule, listing


@dataclass(frozen=True)
class BackboneInputRange(Rule):
    """A loss network sees images in another range than the one it was trained on.

    The features of VGG or SqueezeNet say something about images of RGB in [0, 1], less the mean of ImageNet and over
    its deviation (torchvision's `Normalize`). Images in [-1, 1] come out twice too strong in contrast and too dark,
    images in 0-255 hundreds of times too large: the features saturate, and their distance is that of edges in noise.

    Recognised for the built-in `perceptual` component, which takes RGB in [0, 1] and normalises it itself, by the range
    of the targets; images that are normalised already show as negative values. Not by the prediction, which may still
    be anywhere. Resizing may overshoot by a tenth.

    Remedy: hand out images in [0, 1], for the model to normalise what it needs: (x + 1) / 2, x / 255, or no `Normalize`
    on the target.
    """

    code: ClassVar[str] = "LD204"
    name: ClassVar[str] = "backbone-input-range"
    severity: ClassVar[Severity] = Severity.WARNING
    requires: ClassVar[tuple[str, ...]] = ("gradients", "outputs")

    def check(self, case: Case) -> Iterator[Finding]:
        """Yield a finding for the perceptual components, where the targets are not in [0, 1]."""
        names = [
            component.name
            for objective in case.objectives
            for component in objective.components
            if component.weight != 0 and case.term(component.name) == "perceptual"
        ]
        outputs = (case.examination.outputs if case.examination else None) or ()
        targets = [output.target for output in outputs if output.target is not None]
        if names and targets and _is_outside(targets[0]):
            yield self._report(case, names, targets[0])

    def _report(self, case: Case, names: list[str], target: Statistics) -> Finding:
        return self.finding(
            names,
            f"the loss network of {listing(names)} takes RGB in 0 … 1, which it normalises itself, "
            f"but the targets are in {target.minimum:.3g} … {target.maximum:.3g}",
            evidence={"target": [target.minimum, target.maximum], "expected": [0.0, 1.0]},
            remedy="Let the data hand out images in [0, 1]"
            + (": divide them by 255." if target.maximum > 10 else ", not normalised: (x + 1) / 2 for [-1, 1]."),
            location=case.locate_component(names[0]),
        )


def _is_outside(target: Statistics) -> bool:
    return target.minimum < -0.1 or target.maximum > 1.1
