"""What a component accepts: batches of images of one shape. Anything else is refused, never broadcast."""

from __future__ import annotations

import functools

import torch
from torch import Tensor

from ..errors import LossDoctorError


def require_comparable(component: str, prediction: Tensor, target: Tensor, smallest_side: int = 1) -> None:
    """Raise LossDoctorError unless both are images of one shape, no side below `smallest_side` pixels."""
    require_image(component, "prediction", prediction)
    require_image(component, "target", target)
    if prediction.shape != target.shape:
        message = f"component {component!r}: the prediction is {size(prediction)} but the target is {size(target)}"
        raise LossDoctorError(message, "Make them the same shape: crop or resize one, or mend the model's last layer.")
    if min(prediction.shape[-2:]) < smallest_side:
        needed, found = f"{smallest_side}×{smallest_side}", size(prediction[0, 0])
        message = f"component {component!r}: needs images of at least {needed} pixels, found {found}"
        advice = "Use larger images, or a smaller `window` (ssim, ms_ssim) or earlier `layers` (perceptual)."
        raise LossDoctorError(message, advice)


def require_image(component: str, role: str, image: Tensor) -> None:
    """Raise LossDoctorError unless a tensor is a floating-point batch N×3×H×W (RGB) or N×1×H×W (grey).

    `role` says what it is: "prediction" or "target".
    """
    if image.ndim != 4 or image.shape[1] not in (1, 3):
        expected = f"a {role} of N×3×H×W (RGB) or N×1×H×W (grey)"
        message = f"component {component!r}: expected {expected}, found {size(image)}"
        raise LossDoctorError(message, f"Give the {role} 3 channels along dimension 1, with values in [0, 1].")
    if not image.is_floating_point():
        message = f"component {component!r}: expected a {role} of floating-point values, found {image.dtype}"
        raise LossDoctorError(message, "Convert it to float in [0, 1]; 8-bit images also need a division by 255.")


def in_common_precision(*images: Tensor) -> tuple[Tensor, ...]:
    """Return the images in the widest of their types, float32 at least; bfloat16 knows L* to 0.25."""
    widest = functools.reduce(torch.promote_types, (image.dtype for image in images), torch.float32)
    return tuple(image.to(widest) for image in images)


def size(image: Tensor) -> str:
    """Return a shape as people write it: 8×3×64×64."""
    return "×".join(map(str, image.shape)) or "a scalar"
