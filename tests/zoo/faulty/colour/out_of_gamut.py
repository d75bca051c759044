"""A hand-written RGB → LAB in the loss, and a network whose output is not bounded to [0, 1]."""

import torch
import torch.nn.functional as F
from torch import nn


class Enhancer(nn.Module):
    """Photo retouching: a residual on top of the input."""

    def __init__(self, width=16, gain=1.0):
        super().__init__()
        self.gain = gain
        self.body = nn.Sequential(nn.Conv2d(3, width, 3, padding=1), nn.PReLU(), nn.Conv2d(width, 3, 3, padding=1))

    def forward(self, x):
        return x + self.gain * self.body(x)


def pairs(n=4, batch=4, size=24, seed=0):
    g = torch.Generator().manual_seed(seed)
    for _ in range(n):
        image = F.interpolate(torch.rand(batch, 3, 5, 5, generator=g), size=size, mode="bilinear")
        yield image.pow(1.4) * 0.9, image


def srgb_to_linear(x):
    return torch.where(x <= 0.04045, x / 12.92, ((x + 0.055) / 1.055) ** 2.4)


def rgb2lab(x):
    m = torch.tensor([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    xyz = torch.einsum("ij,bjhw->bihw", m, srgb_to_linear(x)) / torch.tensor([0.9505, 1.0, 1.089]).view(1, 3, 1, 1)
    f = torch.where(xyz > 0.008856, xyz ** (1 / 3), 7.787 * xyz + 16 / 116)
    return torch.stack([1.16 * f[:, 1] - 0.16, 5 * (f[:, 0] - f[:, 1]), 2 * (f[:, 1] - f[:, 2])], 1)


def losses(output, batch):
    return {"rgb": F.l1_loss(output, batch[1]), "lab": F.l1_loss(rgb2lab(output), rgb2lab(batch[1]))}


class GammaLoss(nn.Module):
    """Compares in linear light."""

    def __init__(self, gamma=2.2):
        super().__init__()
        self.gamma = gamma

    def forward(self, x, y):
        return (x**self.gamma - y**self.gamma).abs().mean()


linear_light = GammaLoss()


def step(model, batch):
    raw, retouched = batch
    out = model(raw)
    return {"charbonnier": ((out - retouched) ** 2 + 1e-6).sqrt().mean(), "linear": linear_light(out, retouched)}
