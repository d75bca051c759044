"""Where the weights of a loss network come from: ImageNet, a file, or a seed."""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from torch import nn

from ..config.schema import PerceptualComponent
from ..errors import CheckpointError, LossDoctorError
from ..setup.checkpoint import load_checkpoint

_SEED = 0


def fill(features: nn.Sequential, name: str, component: PerceptualComponent, folder: Path) -> None:
    """Give the layers of a backbone the weights that `pretrained` names; a path is relative to `folder`.

    Raises LossDoctorError where the download fails or there is no such file, CheckpointError where the file
    cannot be read or does not fit.
    """
    if component.pretrained == "random":
        _initialise(features)
    elif component.pretrained == "imagenet":
        _download(features, name, component.backbone)
    else:
        _load(features, name, component.backbone, folder / component.pretrained)


def _initialise(features: nn.Sequential) -> None:
    """He initialisation (2015), which keeps the scale of activations through the depth.

    A generator of its own makes the network the same everywhere and leaves the global RNG alone.
    """
    generator = torch.Generator().manual_seed(_SEED)
    for layer in features.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu", generator=generator)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)


def _download(features: nn.Sequential, name: str, backbone: str) -> None:
    from torchvision.models import get_model_weights

    weights = get_model_weights(backbone).IMAGENET1K_V1
    try:
        state = weights.get_state_dict(
            progress=sys.stderr.isatty(), check_hash=True, map_location="cpu", weights_only=True
        )
    except (OSError, RuntimeError) as error:
        message = f"component {name!r}: the ImageNet weights of {backbone} could not be downloaded: {error}"
        advice = (
            f"Write `pretrained: random` under loss.components.{name} to work offline, "
            f"or name a state dict that you have: `pretrained: {backbone}.pth`."
        )
        raise LossDoctorError(message, advice) from error
    features.load_state_dict({key: state[f"features.{key}"] for key in features.state_dict()})


def _load(features: nn.Sequential, name: str, backbone: str, path: Path) -> None:
    """Load the state dict of a whole network or of its `features`; what later layers need is left aside."""
    key = f"loss.components.{name}.pretrained"
    if not path.exists():
        message = f"{key}: expected imagenet, random or the path of a state dict, found no file {path}"
        raise LossDoctorError(message, "Correct the path; it is relative to the config's folder.")
    facts = load_checkpoint(features, path, strict=True)
    misfits = [*facts.missing, *(mismatch.key for mismatch in facts.reshaped)]
    if misfits:
        count = f"{len(misfits)} of {len(features.state_dict())}"
        some = ", ".join(f"features.{misfit}" for misfit in misfits[:3])
        message = f"{key}: {path} does not fit {backbone}: {count} tensors are missing or misshapen: {some}"
        advice = f"Give the state dict of torchvision's {backbone} or of its `features`, or change `backbone`."
        raise CheckpointError(message, advice)
