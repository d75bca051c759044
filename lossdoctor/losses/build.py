"""From a component's section of the config to the function that computes it: every term's entry point."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import torch
import torch.nn.functional as F

from ..config.schema import (
    BuiltInComponent,
    CharbonnierComponent,
    GradientComponent,
    PerceptualComponent,
    PixelComponent,
    SmoothL1Component,
    SsimComponent,
    TotalVariationComponent,
)
from .backbone import build_backbone
from .color import ColorView
from .perceptual import PerceptualLoss
from .pixel import DISTANCES, charbonnier, gradient_difference, total_variation
from .reference import FullReference, Loss, NoReference
from .spaces import selected_channels
from .structural import ms_ssim_loss, ssim_loss


def build_component(name: str, component: BuiltInComponent, folder: Path, device: torch.device) -> Loss:
    """Return the loss that a component's section describes: (prediction, target) -> unweighted scalar.

    Prediction and target are RGB in [0, 1], N×3×H×W, or grey, N×1×H×W, where the colour space allows. `name`
    is for messages, `folder` is where a path in `pretrained` starts, `device` is where a backbone will live.
    Raises LossDoctorError for layers that do not exist and weights that cannot be had; the loss itself raises
    it for images that cannot be compared.
    """
    if isinstance(component, PerceptualComponent):
        backbone = build_backbone(name, component, folder).to(device)
        return PerceptualLoss(name, backbone, DISTANCES[component.distance], component.reduction)
    letters = None if component.channels is None else tuple(component.channels)
    view = ColorView(name, component.space, letters, component.normalize)
    match component:
        case TotalVariationComponent():
            return NoReference(name, view, partial(total_variation, reduction=component.reduction))
        case SsimComponent():
            return FullReference(name, view, _similarity(component), smallest_side=component.window)
        case _:
            return FullReference(name, view, _distance(component))


def _distance(
    component: PixelComponent | SmoothL1Component | CharbonnierComponent | GradientComponent,
) -> Loss:
    match component:
        case PixelComponent():
            return partial(DISTANCES[component.term], reduction=component.reduction)
        case SmoothL1Component():
            return partial(F.smooth_l1_loss, beta=component.beta, reduction=component.reduction)
        case CharbonnierComponent():
            return partial(charbonnier, epsilon=component.epsilon, reduction=component.reduction)
        case GradientComponent():
            return partial(gradient_difference, reduction=component.reduction)


def _similarity(component: SsimComponent) -> Loss:
    """Without a `data_range`, take the widest span of the channels compared: 1 where they are normalised."""
    span = max(channel.span for channel in selected_channels(component.space, component.channels))
    data_range = component.data_range or (1.0 if component.normalize else span)
    term = {"ssim": ssim_loss, "ms_ssim": ms_ssim_loss}[component.term]
    return partial(term, window=component.window, data_range=data_range, reduction=component.reduction)
