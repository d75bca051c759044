"""What the tests of the built-in components share: how a section of the config is built, and images."""

from pathlib import Path

import torch
from pydantic import TypeAdapter

from lossdoctor.config.schema import BuiltInComponent
from lossdoctor.losses.build import build_component

_SECTION = TypeAdapter(BuiltInComponent)


def build(folder=Path(), **section):
    return build_component("tested", _SECTION.validate_python(section), folder, torch.device("cpu"))


def random_image(*shape, seed=0, dtype=torch.float64):
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def similar_pair(*shape, dtype=torch.float64):
    """A prediction that is 70 % of its target and 30 % noise, as after some training."""
    target = random_image(*shape, dtype=dtype)
    return 0.7 * target + 0.3 * random_image(*shape, seed=1, dtype=dtype), target


def gradient(loss, prediction, target):
    prediction = prediction.clone().requires_grad_()
    return torch.autograd.grad(loss(prediction, target), prediction)[0]
