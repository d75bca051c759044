"""The first config that `lossdoctor init` writes: one that runs, and teaches the other keys in its comments."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ..errors import LossDoctorError
from .suggest import did_you_mean

MODULE = "my_setup.py"

_HEAD = """\
# A lossdoctor config. Paths are relative to this file; imports start in its folder.
# For completion in your editor: lossdoctor schema > lossdoctor.schema.json, and as the first line here
#   # yaml-language-server: $schema=lossdoctor.schema.json
version: 1
"""

_IMAGES = """\

model:
  target: unet                      # a small built-in U-Net; your own: my_project.models:UNet
  # args: {base_channels: 32}       # keyword arguments of the callable
  # checkpoint: unet.safetensors    # weights to start from (.safetensors, .pt, .pth, .ckpt)

data:
  images: photos/                   # a folder of photographs
  task: colorization                # grey in, colours out; the other tasks: denoising, super-resolution
  size: 128                         # pixels
  batch_size: 8
# Your own batches instead:
# data: {target: "my_project.data:batches"}   # a function that returns a DataLoader, Dataset or iterable

loss:
  components:                       # their weighted sum is what is trained
    perceptual:
      term: perceptual              # distance between the features of a pretrained network
      backbone: squeezenet1_1       # or vgg16, vgg19
      pretrained: imagenet          # downloaded once, 5 MB; `random` works offline
      weight: 0.1
    lightness:
      term: mse                     # or l1, smooth_l1, charbonnier, ssim, ms_ssim, tv, gradient
      space: lab                    # or rgb, luv, ycbcr, yuv, hsv, xyz, gray
      channels: [L]
      # normalize: false            # raw units, L from 0 to 100: this would drown every other component
      weight: 1.0
    color: {term: mse, space: lab, channels: [a, b], weight: 1.0}
    # smooth: {term: tv, weight: {from: 0.0, to: 0.01, over: 1000}}   # a weight may grow over the steps

  # roles: {color: regularizer}     # intent: a regularizer is allowed to be small
  # shares: {perceptual: 0.5, color: 0.25}    # intent: the share of the gradient that each should have
# A loss of your own instead: `lossdoctor init --for code` writes one.
"""

_CODE = """\

model:
  target: my_setup:model            # module:callable that returns an nn.Module
  # args: {width: 64}               # keyword arguments of the callable
  # checkpoint: model.pt            # weights to start from (.safetensors, .pt, .pth, .ckpt)

data:
  target: my_setup:batches          # returns a DataLoader, a Dataset or any iterable of batches
  # args: {size: 32}

loss:
  step: my_setup:losses             # (model, batch) -> {name: scalar tensor}, unweighted
  # function: my_setup:terms        # instead of step: (output, batch) -> {name: scalar tensor}
  # total: my_setup:total           # (model, batch) -> the scalar that you backpropagate, to be compared
  weights: {value: 1.0, slope: 1.0, smoothness: 0.001}
  # weights: {slope: {from: 0.0, to: 0.1, start: 100, over: 1000, shape: cosine}}   # grows over the steps
  roles: {smoothness: regularizer}  # intent: a regularizer is allowed to be small
  # shares: {value: 0.5, slope: 0.5}          # intent: the share of the gradient that each should have
"""

_TAIL = """\

# What follows are the defaults.
measure:
  batches: 4
  device: auto                      # or cpu, cuda, cuda:1, mps
  precision: fp32                   # or bf16, fp16
  mode: train                       # the model's mode while it is measured; or eval
  seed: 0
  # parameters: "decoder.*"         # which parameters to differentiate by

rules:
  select: []                        # codes, or how they begin, such as LD2; all rules when empty
  ignore: []                        # `lossdoctor rule` lists the codes and explains them
  # LD101: {error_share: 0.999}     # options of a rule

trial:                              # for short training runs
  steps: 200
  optimizer: adam                   # any optimizer of torch.optim
  lr: 0.001
"""

_MODULE = '''\
"""What lossdoctor.yaml names: a model, batches and the components of a loss. Put your own code in their place.

The example fits a curve by its values and by its slopes, and keeps the second derivative small.
"""

import torch
from torch import nn


def model(width=64):
    return nn.Sequential(nn.Linear(1, width), nn.Tanh(), nn.Linear(width, 1))


def batches(size=32):
    """Any iterable will do: a DataLoader, a list, a generator."""
    while True:
        x = 6 * torch.rand(size, 1) - 3
        yield x, torch.sin(x), torch.cos(x)


def losses(model, batch):
    """The forward pass of one training step: the unweighted components, each a scalar with its graph."""
    x, value, slope = batch
    x = x.clone().requires_grad_()
    prediction = model(x)
    (first,) = torch.autograd.grad(prediction.sum(), x, create_graph=True)
    (second,) = torch.autograd.grad(first.sum(), x, create_graph=True)
    return {
        "value": nn.functional.mse_loss(prediction, value),
        "slope": nn.functional.mse_loss(first, slope),
        "smoothness": second.square().mean(),
    }
'''

_CONFIGS: Mapping[str, str] = {"images": _HEAD + _IMAGES + _TAIL, "code": _HEAD + _CODE + _TAIL}


def starter_config(kind: str = "images") -> str:
    """Return a commented config: `images` with built-in components, `code` with a loss of the user's own.

    Raises LossDoctorError for another kind.
    """
    if kind not in _CONFIGS:
        kinds = " or ".join(_CONFIGS)
        message = f"expected a starter config for {kinds}, found {kind!r}"
        raise LossDoctorError(message, did_you_mean(kind, _CONFIGS) or "leave it out to start with images")
    return _CONFIGS[kind]


def starter_files(path: Path, kind: str = "images") -> Mapping[Path, str]:
    """Return the files of a first config at `path`, with their text; `code` has a module beside it."""
    config = {path: starter_config(kind)}
    return config | {path.parent / MODULE: _MODULE} if kind == "code" else config


def write_starter(path: Path, kind: str = "images", *, overwrite: bool = False) -> list[Path]:
    """Write a first config at `path`, and for `code` the module beside it; return what was written.

    Raises LossDoctorError where a file is there already, unless `overwrite`; then nothing is written.
    """
    files = starter_files(path, kind)
    present = [str(file) for file in files if file.exists()]
    if present and not overwrite:
        message = f"{', '.join(present)}: there is such a file already"
        raise LossDoctorError(message, "choose another path, or overwrite it with --force")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        for file, text in files.items():
            file.write_text(text, encoding="utf-8")
    except OSError as error:
        message = f"{error.filename}: cannot be written: {error.strerror}"
        raise LossDoctorError(message, "choose another path") from None
    return list(files)
