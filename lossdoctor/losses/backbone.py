"""The loss network: the first layers of a torchvision network, frozen, without its classifier."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from ..config.schema import PerceptualComponent
from ..errors import LossDoctorError
from .backbone_weights import fill

#: The ReLUs that LPIPS reads (Zhang et al. 2018); for vgg19, the last ReLU of each of its five stages.
DEFAULT_LAYERS: Mapping[str, tuple[int, ...]] = {
    "squeezenet1_1": (1, 4, 7, 9, 10, 11, 12),
    "vgg16": (3, 8, 15, 22, 29),
    "vgg19": (3, 8, 17, 26, 35),
}

#: Mean and standard deviation of ImageNet's RGB in [0, 1], which torchvision's networks were trained with.
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


class Backbone(nn.Module):
    """Frozen features: N×3×H×W RGB in [0, 1] -> the activations of the chosen layers, shallow to deep.

    Normalises its input as ImageNet's. Runs in float32, or as autocast says.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, features: nn.Sequential, layers: Sequence[int], smallest_side: int) -> None:
        super().__init__()
        self.features = features
        self.layers = tuple(layers)
        self.smallest_side = smallest_side  #: pixels; smaller images vanish in the pooling layers
        self.register_buffer("mean", torch.tensor(IMAGENET_MEAN).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(IMAGENET_STD).view(1, 3, 1, 1), persistent=False)
        self.requires_grad_(False).eval()

    def forward(self, image: Tensor) -> list[Tensor]:
        """Return the activations of the chosen layers."""
        hidden = (image.to(self.mean.dtype) - self.mean) / self.std
        activations = []
        for index, layer in enumerate(self.features):
            hidden = layer(hidden)
            if index in self.layers:
                activations.append(hidden)
        return activations


def build_backbone(name: str, component: PerceptualComponent, folder: Path) -> Backbone:
    """Return the backbone of a perceptual component, on the CPU.

    Raises LossDoctorError where a layer does not exist or weights cannot be had, CheckpointError where a file
    of weights cannot be read or does not fit.
    """
    architecture = _architecture(component.backbone)
    layers = _chosen_layers(name, component, len(architecture))
    features = architecture[: layers[-1] + 1]
    smallest_side = _smallest_side(features)
    features.to_empty(device="cpu")
    fill(features, name, component, folder)
    return Backbone(features, layers, smallest_side)


def _architecture(backbone: str) -> nn.Sequential:
    """Return all feature layers, not yet in memory: on the meta device VGG's classifier costs no 500 MB."""
    from torchvision.models import get_model

    with torch.device("meta"):
        features: nn.Sequential = get_model(backbone, weights=None).features
    for layer in features.modules():
        if isinstance(layer, nn.ReLU):
            layer.inplace = False  # else the activations of the layer before would be overwritten
    return features


def _chosen_layers(name: str, component: PerceptualComponent, available: int) -> tuple[int, ...]:
    if component.layers is None:
        return DEFAULT_LAYERS[component.backbone]
    if max(component.layers) >= available:
        expected = f"layers of {component.backbone} from 0 to {available - 1}"
        message = f"loss.components.{name}.layers: expected {expected}, found {component.layers}"
        usual = ", ".join(map(str, DEFAULT_LAYERS[component.backbone]))
        raise LossDoctorError(message, f"Leave `layers` out for the usual ones: [{usual}].")
    return tuple(sorted(set(component.layers)))


def _smallest_side(features: nn.Sequential) -> int:
    """Return the least width and height that every layer can take; `features` are on the meta device."""

    def fits(side: int) -> bool:
        try:
            features(torch.empty(1, 3, side, side, device="meta"))
        except RuntimeError:
            return False
        return True

    sides = range(1, 65)  # five poolings need 32 pixels
    return sides[bisect_left(sides, True, key=fits)]
