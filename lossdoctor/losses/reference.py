"""Losses of images: with a reference to compare with (the target), and without.

Autocast does not reach them, because colour conversions and variances need float32. It does reach a backbone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from .color import ColorView
from .images import in_common_precision, require_comparable, require_image

#: (prediction, target) -> unweighted scalar
Loss = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class FullReference:
    """A term that compares the prediction with the target, as the colour view shows them."""

    component: str
    view: ColorView
    compare: Loss
    smallest_side: int = 1  #: pixels

    def __call__(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Return the loss, a scalar. Raises LossDoctorError for images that cannot be compared."""
        require_comparable(self.component, prediction, target, self.smallest_side)
        prediction, target = in_common_precision(prediction, target)
        with torch.autocast(prediction.device.type, enabled=False):
            return self.compare(self.view(prediction), self.view(target))


@dataclass(frozen=True)
class NoReference:
    """A term that judges the prediction alone; the target may be anything."""

    component: str
    view: ColorView
    judge: Callable[[Tensor], Tensor]

    def __call__(self, prediction: Tensor, _target: Tensor) -> Tensor:
        """Return the loss, a scalar. Raises LossDoctorError for a prediction that is no image."""
        require_image(self.component, "prediction", prediction)
        (prediction,) = in_common_precision(prediction)
        with torch.autocast(prediction.device.type, enabled=False):
            return self.judge(self.view(prediction))
