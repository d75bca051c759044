"""Recognising the first layer of a frozen network that was trained on ImageNet, where images enter it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from torch import Tensor

#: Out channels, kernel and stride of the first convolution of the networks whose features are compared. ResNets serve
#: as teachers as well, which take what their students take.
_FIRST_LAYERS = {
    (64, 3, 1): "VGG",
    (64, 11, 4): "AlexNet",
    (96, 7, 2): "SqueezeNet",
    (64, 3, 2): "SqueezeNet",
}

#: What classes and functions are called that run such a network, or a smaller one in its place.
_NAMES = re.compile(r"vgg|alexnet|squeezenet|lpips|imagenet", re.IGNORECASE)


def loss_network(name: str, args: Sequence[Any], stride: Any, callers: Iterable[str]) -> str | None:
    """Return the name of a pretrained network whose first layer is called, None for anything else.

    `callers` are the functions on the stack; they are asked only about a frozen convolution of three channels.
    """
    if name != "conv2d" or len(args) < 2 or not all(isinstance(arg, Tensor) for arg in args[:2]):
        return None
    image, weight = args[:2]
    if weight.requires_grad or weight.dim() != 4 or weight.shape[1] != 3 or image.dim() != 4 or len(weight) < 8:
        return None
    named = (match.group() for caller in callers if (match := _NAMES.search(caller)))
    strides = (*stride, 1) if isinstance(stride, (tuple, list)) else (stride,)
    return _FIRST_LAYERS.get((len(weight), weight.shape[-1], strides[0])) or next(named, None)
