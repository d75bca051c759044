"""Structural similarity, over one scale and over several.

Both follow kornia: a Gaussian window with σ = 1.5, images mirrored at the border, so that every pixel counts.
`data_range` is the span of the values L; it sets the constants C₁ = (0.01 L)² and C₂ = (0.03 L)².
"""

from __future__ import annotations

import kornia.filters
import kornia.metrics
import torch.nn.functional as F
from torch import Tensor

from .reduction import Reduction, reduce

#: Exponents from the finest to the coarsest scale: Wang, Simoncelli & Bovik 2003, section 3.2.
SCALE_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)

#: Means of contrast–structure can be negative, where a fractional power and its gradient are not defined.
LEAST_SIMILARITY = 1e-6


def ssim_loss(prediction: Tensor, target: Tensor, *, window: int, data_range: float, reduction: Reduction) -> Tensor:
    """Return 1 − SSIM, the mean or sum over every pixel of every channel (Wang et al. 2004)."""
    # kornia's eps would keep two black images from scoring 1; C₁ and C₂ guard the division already.
    similarity = kornia.metrics.ssim(prediction, target, window, data_range, eps=0.0)
    return reduce(1 - similarity, reduction)


def ms_ssim_loss(prediction: Tensor, target: Tensor, *, window: int, data_range: float, reduction: Reduction) -> Tensor:
    """Return 1 − MS-SSIM, the mean or sum over every channel of every image (Wang, Simoncelli & Bovik 2003).

    Each scale is half as large as the one before. As many of the five scales as hold a whole window are used,
    their exponents scaled to add up to 1: all five from 16 windows on (176 pixels by default), three at 64.
    (kornia's MS_SSIMLoss is another quantity: mixed with L1, times 200, all scales at full resolution.)
    """
    weights = scale_weights(min(prediction.shape[-2:]), window)
    similarity = prediction.new_ones(())
    for scale, weight in enumerate(weights):
        if scale > 0:
            prediction, target = F.avg_pool2d(prediction, 2), F.avg_pool2d(target, 2)
        luminance, contrast = luminance_and_contrast(prediction, target, window, data_range)
        pixels = luminance * contrast if scale == len(weights) - 1 else contrast
        similarity = similarity * pixels.mean(dim=(-2, -1)).clamp(min=LEAST_SIMILARITY) ** weight
    return reduce(1 - similarity, reduction)


def scale_weights(side: int, window: int) -> tuple[float, ...]:
    """Return the exponents of the scales that hold a whole window, adding up to 1; one scale at least."""
    fitting = [weight for scale, weight in enumerate(SCALE_WEIGHTS) if scale == 0 or side >> scale >= window]
    return tuple(weight / sum(fitting) for weight in fitting)


def luminance_and_contrast(prediction: Tensor, target: Tensor, window: int, data_range: float) -> tuple[Tensor, Tensor]:
    """Return the two factors of the SSIM map: luminance, and contrast times structure."""
    mean_p, mean_t = _blur(prediction, window), _blur(target, window)
    variances = _blur(prediction**2, window) - mean_p**2 + _blur(target**2, window) - mean_t**2
    covariance = _blur(prediction * target, window) - mean_p * mean_t
    c1, c2 = (0.01 * data_range) ** 2, (0.03 * data_range) ** 2
    luminance = (2 * mean_p * mean_t + c1) / (mean_p**2 + mean_t**2 + c1)
    contrast = (2 * covariance + c2) / (variances + c2)
    return luminance, contrast


def _blur(image: Tensor, window: int) -> Tensor:
    blurred: Tensor = kornia.filters.gaussian_blur2d(image, (window, window), (1.5, 1.5), border_type="reflect")
    return blurred
