"""The built-in models, by the name that `model.target` gives them."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from torch import nn

from .unet import UNet

BUILT_IN: Mapping[str, Callable[..., nn.Module]] = {"unet": UNet}
