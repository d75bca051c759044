"""Distance between the features of a frozen network (Johnson et al. 2016)."""

from __future__ import annotations

from collections.abc import Callable

import kornia.color
import torch
from torch import Tensor, nn

from .backbone import Backbone
from .images import require_comparable
from .reduction import Reduction, reduce


class PerceptualLoss(nn.Module):
    """The distance between the activations of prediction and target, RGB in [0, 1] of N×3×H×W.

    `mean` averages over the elements of each layer and then over the layers, so that deep, small layers count
    as much as shallow, large ones; `sum` adds the distances of all elements of all layers. Grey images,
    N×1×H×W, enter the network as RGB with equal channels. The target gets no gradient.
    """

    def __init__(
        self, component: str, backbone: Backbone, distance: Callable[..., Tensor], reduction: Reduction
    ) -> None:
        super().__init__()
        self.component = component
        self.backbone = backbone
        self.distance = distance
        self.reduction = reduction

    def forward(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Return the distance, a scalar. Raises LossDoctorError for images that cannot be compared."""
        require_comparable(self.component, prediction, target, self.backbone.smallest_side)
        features = self.backbone(_as_rgb(prediction))
        with torch.no_grad():
            expected = self.backbone(_as_rgb(target))
        pairs = zip(features, expected, strict=True)
        return reduce(torch.stack([self.distance(*pair, reduction=self.reduction) for pair in pairs]), self.reduction)


def _as_rgb(image: Tensor) -> Tensor:
    rgb: Tensor = kornia.color.grayscale_to_rgb(image) if image.shape[1] == 1 else image
    return rgb
