"""Operands that are broadcast against each other, by accident and on purpose."""

import torch
import torch.nn.functional as F
from torch import nn


class Critic(nn.Module):
    """One value per state, [N, 1], as a linear layer gives it."""

    def __init__(self, squeeze=False):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(5, 16), nn.Tanh())
        self.value = nn.Linear(16, 1)
        self.squeeze = squeeze

    def forward(self, states):
        value = self.value(self.body(states))
        return value.squeeze(-1) if self.squeeze else value


def returns(batch_size=12):
    for seed in range(3):
        states = torch.randn(batch_size, 5, generator=torch.Generator().manual_seed(seed))
        yield states, states[:, 0] + states[:, 1] ** 2


def value_loss(model, batch):
    value = model(batch[0])
    return {"value": F.smooth_l1_loss(value, batch[1]), "size": 0.01 * value.pow(2).mean()}  # fault: values


def by_hand(output, batch):
    return {"critic": {"value": ((batch[1] - output) ** 2).mean()}}  # fault: by hand


def weighted(model, batch):
    """Importance weights of a replay buffer."""
    error = model(batch[0]) - batch[1]
    weights = torch.linspace(0.5, 1, len(error))
    return {"value": (weights * error.pow(2)).mean()}  # fault: weighted


class DepthNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 1, 1))

    def forward(self, image):
        return {"depth": self.net(image)}


def depth_maps():
    for seed in range(2):
        image = torch.rand(3, 3, 10, 12, generator=torch.Generator().manual_seed(seed))
        yield image, 1 + 5 * image.mean(1)  # (B, H, W)


class DepthLoss(nn.Module):
    def forward(self, output, batch):
        depth, target = output["depth"], batch[1]
        return {
            "log": torch.abs(depth.exp().log() - target.log()).mean(),  # fault: maps
            "aligned": F.l1_loss(depth[:, 0], target),
        }


depth_loss = DepthLoss()


def lsgan(model, batch):
    """Labels of one value: which label meets which score does not matter."""
    score = model(batch[0])
    return {"real": F.mse_loss(score, torch.ones(len(score))), "one": F.mse_loss(score, torch.ones(1))}


def all_pairs(model, batch):
    """Differences of all pairs, as metric learning and soft assignment write them."""
    z = model.body(batch[0])
    centres = torch.linspace(-1, 1, 7 * 16).view(7, 16)
    to_centres = (z.unsqueeze(1) - centres).pow(2).sum(-1)  # (N, 7)
    spread = (z[:, None, :] - z.detach()[None, :, :]).abs().mean()
    return {"assignment": -to_centres.neg().logsumexp(1).mean(), "spread": -spread, "value": _value(model, batch)}


def _value(model, batch):
    return F.mse_loss(model(batch[0]), batch[1].unsqueeze(1))


def per_image_map(output, batch):
    """A map per image, [B, 1, 1], and one per pixel."""
    depth = output["depth"][:, 0]
    scale = batch[1].mean((1, 2), keepdim=True)
    return {"depth": (depth - batch[1]).abs().mean(), "scale": (depth - scale).square().mean()}
