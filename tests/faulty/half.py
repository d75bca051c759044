"""Losses that fp32 can hold and half precision cannot."""

import torch
import torch.nn.functional as F
from torch import nn


class Enhancer(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 3, 3, padding=1))

    def forward(self, image):
        return image + 0.1 * self.net(image)


class Critic(nn.Module):
    def __init__(self):
        super().__init__()
        self.score = nn.Linear(6, 1)
        nn.init.zeros_(self.score.weight)
        nn.init.constant_(self.score.bias, 12.0)

    def forward(self, x):
        return self.score(x)


def batches():
    for seed in range(2):
        generator = torch.Generator().manual_seed(seed)
        image = F.interpolate(torch.rand(2, 3, 4, 4, generator=generator), size=12, mode="bilinear")
        image[:, :, :3] = 0  # the sky at night
        yield image, image.clone()


def rows():
    for seed in range(2):
        yield torch.randn(8, 6, generator=torch.Generator().manual_seed(seed)), torch.ones(8, 1)


def cast(image):
    """Return an image in the precision that is trained in."""
    return image.to(torch.get_autocast_dtype("cpu")) if torch.is_autocast_enabled("cpu") else image


def energy(output, batch):
    power = (cast(output) * 400).square()  # fault: overflow
    return {"energy": power.mean(), "l1": F.l1_loss(output, batch[1])}


def chroma(output, batch):
    visible = cast(output.relu() * (batch[1] > 0))
    share = visible / (visible.sum(1, keepdim=True) + 1e-8)  # fault: eps
    return {"chroma": share.square().mean(), "l1": F.l1_loss(output, batch[1])}


def certainty(output, batch):
    p = torch.sigmoid(output)
    return {"certainty": -torch.log(1 - p).mean(), "size": output.square().mean()}  # fault: log
