"""LD204: a loss network that is given images outside the range it was trained on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from ..records import Finding, Severity
from .base import Case, Rule, listing
from .occurrences import occurrences

if TYPE_CHECKING:
    from ..facts.operands import Operation
    from ..facts.statistics import Statistics

#: By how much resizing carries images beyond [0, 1] or [-1, 1].
_OVERSHOOT = 0.1

#: What black and white become, with that overshoot, by ImageNet's mean and deviation: (-0.1 - 0.485) / 0.229 and
#: (1.1 - 0.406) / 0.225.
_LEAST, _MOST = -2.6, 3.1

#: Images of several batches come so near to both ends of their range.
_NEAR = 0.05


class BackboneInputRange(Rule):
    """A loss network sees images in another range than the one it was trained on.

    The features of VGG or SqueezeNet say something about images of RGB in [0, 1], less the mean of ImageNet and over
    its deviation (torchvision's `Normalize`). Images in [-1, 1] come out twice too strong in contrast and too dark,
    images in 0-255 hundreds of times too large: the features saturate, and their distance is that of edges in noise.

    Recognised for the built-in `perceptual` component, which takes RGB in [0, 1] and normalises it itself, by the range
    of the targets; images that are normalised already show as negative values. Not by the prediction, which may still
    be anywhere. Resizing may overshoot by a tenth.

    In user code, where images enter a frozen network that begins as VGG, AlexNet or SqueezeNet do, or that is
    run by something of that name (LPIPS among them). Normalised images lie between -2.12 and 2.64 and on both sides of
    zero. Never negative means that they were not normalised (or LPIPS, which takes [-1, 1], was given [0, 1]); to the
    ends of [-1, 1], that another normalisation was used; beyond -2.6 or 3.1, that they were normalised twice or are in
    0-255.

    Remedy: hand out images in [0, 1], for the model to normalise what it needs: (x + 1) / 2, x / 255, or no `Normalize`
    on the target. In user code: `(x - mean) / std` of ImageNet, once, right before the network.
    """

    code: ClassVar[str] = "LD204"
    name: ClassVar[str] = "backbone-input-range"
    severity: ClassVar[Severity] = Severity.WARNING
    requires: ClassVar[tuple[str, ...]] = ("gradients", "outputs", "operations")

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
        if not case.built_in:
            yield from self._user_code(case)

    def _user_code(self, case: Case) -> Iterator[Finding]:
        for found in occurrences(case, _wrong_input):
            seen = found.cause.seen
            yield self.finding(
                found.components,
                f"{found.does('feed')} {found.cause.network} with images in {seen.minimum:.3g} … {seen.maximum:.3g} "
                f"({found.cause.mistake}), where it takes images less the mean of ImageNet and over its deviation: "
                "-2.12 … 2.64",
                objective=found.objective,
                evidence={"input": [seen.minimum, seen.maximum], "mean": seen.mean, "expected": [-2.12, 2.64]},
                remedy="Normalise once, right before the network: (x - mean) / std of images in [0, 1]; "
                "LPIPS does so itself and takes [-1, 1].",
                location=found.location,
            )

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


@dataclass(frozen=True)
class WrongInput:
    """Images that enter a pretrained network in another range than its own."""

    network: str
    mistake: str
    seen: Statistics = field(compare=False)


def _wrong_input(operation: Operation) -> WrongInput | None:
    """Return what is wrong with the images of a loss network; the prediction's, which may be anywhere, are left out."""
    if operation.name != "loss network" or operation.operands[0].requires_grad:
        return None
    seen = operation.operands[0].overall
    mistake = _mistake(seen)
    return WrongInput(str(operation.arguments.get("network")), mistake, seen) if mistake else None


def _mistake(seen: Statistics) -> str:
    low, high = seen.minimum, seen.maximum
    if low < _LEAST or high > _MOST:
        return "normalised twice" if low < -_OVERSHOOT and high < 100 else "in 0 … 255"
    if low >= -_OVERSHOOT and high > _OVERSHOOT:
        return "not normalised" if high <= 1 + _OVERSHOOT else "never negative: [0, 1] where [-1, 1] was meant"
    return "normalised to [-1, 1]" if abs(low + 1) < _NEAR and abs(high - 1) < _NEAR else ""


def _is_outside(target: Statistics) -> bool:
    return target.minimum < -0.1 or target.maximum > 1.1
