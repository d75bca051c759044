"""Gradients that are exactly zero, heads that nothing trains, weights of zero."""

import torch
import torch.nn.functional as F
from torch import nn


class TwoHeads(nn.Module):
    def __init__(self):
        super().__init__()
        self.trunk = nn.Sequential(nn.Linear(6, 24), nn.Tanh())
        self.depth = nn.Linear(24, 1)
        self.normals = nn.Linear(24, 3)

    def forward(self, x):
        h = self.trunk(x)
        return {"depth": self.depth(h), "normals": F.normalize(self.normals(h), dim=1)}


def batches():
    for seed in range(3):
        generator = torch.Generator().manual_seed(seed)
        x = torch.randn(16, 6, generator=generator)
        yield x, {"depth": x[:, :1] + 20, "normals": F.normalize(x[:, 1:4], dim=1)}


def clamped(output, batch):
    """The range that depth is clamped to begins where an untrained head never is."""
    depth = output["depth"].clamp(10, 80)  # fault: clamped
    return {
        "depth": F.l1_loss(depth, batch[1]["depth"]),
        "normals": (1 - F.cosine_similarity(output["normals"], batch[1]["normals"])).mean(),
    }


class Hinge(nn.Module):
    """-relu(score) has no slope while the score is negative."""

    def forward(self, score):
        return -F.relu(score - 5).mean()


hinge = Hinge()


def dead_hinge(model, batch):
    output = model(batch[0])
    return {
        "normals": F.mse_loss(output["normals"], batch[1]["normals"]),
        "depth": F.smooth_l1_loss(output["depth"], batch[1]["depth"]),
        "adversarial": hinge(output["depth"]),
    }


def itself(output, batch):
    """A typo: the prediction is compared with the prediction."""
    predicted, target = output["normals"], batch[1]["normals"]
    return {
        "depth": F.l1_loss(output["depth"], batch[1]["depth"]),
        "cosine": (1 - F.cosine_similarity(predicted, target)).mean(),
        "normals": F.mse_loss(predicted, output["normals"]),  # fault: itself
    }


def one_head(output, batch):
    return {"depth": F.l1_loss(output["depth"], batch[1]["depth"]), "prior": output["depth"].pow(2).mean()}


def both_heads(output, batch):
    return {
        "depth": F.l1_loss(output["depth"], batch[1]["depth"]),
        "normals": F.mse_loss(output["normals"], batch[1]["normals"]),
    }
