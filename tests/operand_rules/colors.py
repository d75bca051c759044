"""Hues and angles on a line, and wrapped as they should be."""

import math

import kornia.color
import torch
import torch.nn.functional as F
from torch import nn


class Painter(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Conv2d(1, 12, 3, padding=1), nn.ReLU(), nn.Conv2d(12, 3, 1), nn.Sigmoid())

    def forward(self, grey):
        return self.net(grey)


def photos():
    for seed in range(3):
        generator = torch.Generator().manual_seed(seed)
        image = F.interpolate(torch.rand(4, 3, 6, 6, generator=generator), size=16, mode="bilinear")
        yield image.mean(1, keepdim=True), image


def hsv(output, batch):
    predicted, target = kornia.color.rgb_to_hsv(output), kornia.color.rgb_to_hsv(batch[1])
    return {"hsv": F.mse_loss(predicted, target), "rgb": F.l1_loss(output, batch[1])}  # fault: hsv


def hue(model, batch):
    predicted, target = kornia.color.rgb_to_hls(model(batch[0])), kornia.color.rgb_to_hls(batch[1])
    return {"hue": (predicted[:, :1] - target[:, :1]).abs().mean()}  # fault: hue


def saturation(output, batch):
    predicted, target = kornia.color.rgb_to_hsv(output), kornia.color.rgb_to_hsv(batch[1])
    return {"saturation": F.l1_loss(predicted[:, 1:], target[:, 1:]), "rgb": F.l1_loss(output, batch[1])}


def wrapped_hue(output, batch):
    predicted, target = (kornia.color.rgb_to_hsv(image)[:, 0] for image in (output, batch[1]))
    difference = (predicted - target).abs()
    difference = torch.minimum(difference, 2 * math.pi - difference)
    cosine = (1 - torch.cos(predicted - target)).mean()
    return {"hue": difference.mean(), "cosine": cosine}


def hue_vector(model, batch):
    def on_the_cone(image):
        h, s, v = kornia.color.rgb_to_hsv(image).unbind(1)
        return torch.stack([s * h.cos(), s * h.sin(), v], dim=1)

    return {"cone": F.mse_loss(on_the_cone(model(batch[0])), on_the_cone(batch[1]))}


class Compass(nn.Module):
    """A heading from what is seen, as a vector or as a number."""

    def __init__(self, as_angle=True):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(4, 24), nn.ReLU(), nn.Linear(24, 2))
        self.as_angle = as_angle

    def forward(self, x):
        vector = self.body(x)
        return torch.atan2(vector[:, 1], vector[:, 0]) if self.as_angle else vector


def headings(half_turn=math.pi, field_of_view=1.0):
    for seed in range(4):
        generator = torch.Generator().manual_seed(seed)
        angle = (torch.rand(64, generator=generator) * 2 - 1) * math.pi * field_of_view
        x = torch.stack([angle.cos(), angle.sin(), angle.cos() ** 2, angle.sin() * angle.cos()], dim=1)
        yield x, angle * half_turn / math.pi


def heading(output, batch):
    return {"heading": F.l1_loss(output, batch[1])}  # fault: heading


def degrees(model, batch):
    """The number itself, ±180, from a linear layer."""
    error = model(batch[0])[:, 0] - batch[1]
    return {"yaw": (error**2).mean()}  # fault: degrees


def wrapped_heading(model, batch):
    difference = model(batch[0]) - batch[1]
    difference = torch.remainder(difference + math.pi, 2 * math.pi) - math.pi
    return {"heading": difference.abs().mean()}


def as_a_vector(output, batch):
    return {"x": F.mse_loss(output[:, 0], batch[1].cos()), "y": F.mse_loss(output[:, 1], batch[1].sin())}
