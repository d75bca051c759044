"""Targets that are computed by a network, held fast or not."""

import torch
import torch.nn.functional as F
from torch import nn


class Net(nn.Module):
    """A denoiser."""

    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 3, 3, padding=1))

    def forward(self, x):
        return self.body(x)


class Pair(nn.Module):
    """Two networks of one shape."""

    def __init__(self):
        super().__init__()
        self.online, self.target, self.text = Net(), Net(), Net()


def batches():
    for seed in range(2):
        clean = torch.rand(4, 3, 8, 8, generator=torch.Generator().manual_seed(seed))
        yield clean + 0.1, clean


def loss_network(frozen):
    torch.manual_seed(5)
    network = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Conv2d(8, 8, 3)).requires_grad_(not frozen)

    def terms(output, batch):
        return {"l1": F.l1_loss(output, batch[1]), "perceptual": F.mse_loss(network(output), network(batch[1]))}

    return terms


frozen, trainable = loss_network(True), loss_network(False)
centres = nn.Parameter(torch.rand(5, 192))


def learned_centres(output, batch):
    distances = (output.flatten(1)[:, None] - centres).square().mean(2)
    return {"l1": F.l1_loss(output, batch[1]), "centres": distances.amin(1).mean()}


def follows(model, batch):
    with torch.no_grad():
        target = model.target(batch[1])
    return {"match": F.mse_loss(model.online(batch[0]), target), "text": model.text(batch[0]).square().mean()}


def chases(model, batch):
    return {
        "match": F.mse_loss(model.online(batch[0]), model.target(batch[1])),
        "text": model.text(batch[0]).square().mean(),
    }


def two_towers(model, batch):
    return {
        "match": F.mse_loss(model.online(batch[0]), model.text(batch[1])),
        "size": model.text(batch[0]).abs().mean(),
    }
