"""Restoration with the gradient budget written down."""

import torch
import torch.nn.functional as F
from torch import nn


class Restorer(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 16, 3, padding=1), nn.ReLU(), nn.Conv2d(16, 3, 3, padding=1))

    def forward(self, x):
        return x + 0.1 * self.body(x)


class Pairs(torch.utils.data.Dataset):
    def __len__(self):
        return 16

    def __getitem__(self, index):
        generator = torch.Generator().manual_seed(index)
        clean = torch.rand(3, 12, 12, generator=generator)
        return (clean + 0.1 * torch.randn(3, 12, 12, generator=generator)).clamp(0, 1), clean


def edges(x):
    return x[..., 1:, :] - x[..., :-1, :]


def terms(output, batch):
    _, clean = batch
    return {
        "pixel": F.mse_loss(output, clean),
        "edge": F.l1_loss(edges(output), edges(clean)),
        "tv": edges(output).abs().mean(),
    }


def summed(model, batch):
    noisy, clean = batch
    output = model(noisy)
    return {"pixel": ((output - clean) ** 2).sum(), "edge": nn.L1Loss()(edges(output), edges(clean))}


def two_players(model, batch):
    noisy, clean = batch
    output = model.restorer(noisy)
    judged, real = model.critic(output), model.critic(clean)
    return {
        "generator": {"pixel": F.l1_loss(output, clean), "adversarial": -1e-3 * judged.mean()},
        "critic": {"real": F.relu(1 - real).mean(), "fake": F.relu(1 + model.critic(output.detach())).mean()},
    }


class Players(nn.Module):
    def __init__(self):
        super().__init__()
        self.restorer = Restorer()
        self.critic = nn.Sequential(nn.Conv2d(3, 8, 4, 2, 1), nn.LeakyReLU(0.2), nn.Conv2d(8, 1, 4, 2, 1))

    def forward(self, x):
        return self.restorer(x)
