"""Terms that compare pixels, or the differences between neighbouring pixels."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal

import kornia.filters
import kornia.losses
import torch.nn.functional as F
from torch import Tensor

from .reduction import Reduction, reduce

#: Plain distances, of pixels and of features alike.
DISTANCES: Mapping[Literal["mse", "l1"], Callable[..., Tensor]] = {"mse": F.mse_loss, "l1": F.l1_loss}


def charbonnier(prediction: Tensor, target: Tensor, *, epsilon: float, reduction: Reduction) -> Tensor:
    """Return √(d² + ε²), reduced over all elements; at least ε (Lai et al. 2017, LapSRN)."""
    squared = F.mse_loss(prediction, target, reduction="none")
    return reduce((squared + epsilon**2).sqrt(), reduction)


def gradient_difference(prediction: Tensor, target: Tensor, *, reduction: Reduction) -> Tensor:
    """Return the L1 distance of the Sobel derivatives along x and y, per pixel, reduced over all of them."""
    edges, expected = kornia.filters.spatial_gradient(prediction), kornia.filters.spatial_gradient(target)
    return F.l1_loss(edges, expected, reduction=reduction)


def total_variation(prediction: Tensor, *, reduction: Reduction) -> Tensor:
    """Return the mean vertical plus the mean horizontal |difference| of neighbours, or the sum of them all.

    The mean does not depend on the resolution (Rudin, Osher & Fatemi 1992, in the anisotropic form).
    """
    return reduce(kornia.losses.total_variation(prediction, reduction=reduction), reduction)
