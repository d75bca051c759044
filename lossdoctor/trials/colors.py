"""The colours of what a trained model puts out, beside those of its targets."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from ..instruments.tensors import tensors_in
from ..trial_records import ChannelColors, FinalOutput

#: Values this far outside [0, 1] are no pixels.
MARGIN = 0.5


def final_outputs(output: Any, target: Any) -> tuple[FinalOutput, ...]:
    """Return the statistics of every output tensor that has the shape of the target."""
    return tuple(_final_outputs(output, target))


def _final_outputs(output: Any, target: Any) -> Iterator[FinalOutput]:
    for name, tensor in tensors_in(output).items():
        if (
            isinstance(target, Tensor)
            and target.is_floating_point()
            and tensor.shape == target.shape
            and tensor.dim() > 1
        ):
            image = is_image(target) and is_image(tensor)  # logits of a mask are none
            yield FinalOutput(name, colors(tensor, image=image), colors(target, image=image), len(tensor), image)


def is_image(tensor: Tensor) -> bool:
    """Whether a tensor is a batch of images: N×1×H×W or N×3×H×W, floating point, in [0, 1] but for a margin."""
    if tensor.dim() != 4 or tensor.shape[1] not in (1, 3) or not tensor.is_floating_point() or not tensor.numel():
        return False
    return min(tensor.shape[-2:]) > 1 and bool(tensor.amin() >= -MARGIN) and bool(tensor.amax() <= 1 + MARGIN)


def colors(tensor: Tensor, *, image: bool) -> ChannelColors:
    """Return the statistics of a batch, (N, C, …)."""
    values = tensor.detach().float()
    rgb = image and values.shape[1] == 3
    return ChannelColors(
        means=tuple(values.transpose(0, 1).flatten(1).mean(1).tolist()) if image else (),
        std=float(values.std()) if values.numel() > 1 else 0.0,
        between_samples=float(values.std(0).mean()) if len(values) > 1 else 0.0,
        colorfulness=float(colorfulness(values).mean()) if rgb else None,
        rms=float(values.square().mean().sqrt()) if values.numel() else None,
    )


def colorfulness(rgb: Tensor) -> Tensor:
    """Return the colourfulness of N×3×H×W images in [0, 1], (N,): 0 is grey, 109 is extremely colourful.

    σ_rgyb + 0.3·μ_rgyb over the opponent channels rg = R − G and yb = (R + G)/2 − B of pixels in [0, 255] (Hasler &
    Süsstrunk 2003, Measuring colourfulness in natural images).
    """
    red, green, blue = (255 * rgb.clamp(0, 1)).flatten(2).unbind(1)
    rg, yb = red - green, (red + green) / 2 - blue
    spread = torch.hypot(rg.std(1), yb.std(1))
    shift = torch.hypot(rg.mean(1), yb.mean(1))
    return spread + 0.3 * shift
