"""BYOL, SimSiam, DINO: an online network learns from a target that must not learn from it."""

import copy

import torch
import torch.nn.functional as F
from torch import nn


def mlp(i, h, o):
    return nn.Sequential(nn.Linear(i, h), nn.BatchNorm1d(h), nn.ReLU(), nn.Linear(h, o))


class BYOL(nn.Module):
    def __init__(self, inputs=20, dim=16, frozen=True):
        super().__init__()
        self.online = mlp(inputs, 48, dim)
        self.predictor = mlp(dim, 32, dim)
        self.target = copy.deepcopy(self.online)
        if frozen:
            self.target.requires_grad_(False)
        self.probe = nn.Linear(dim, 5)


class SimSiam(nn.Module):
    def __init__(self, inputs=20, dim=24):
        super().__init__()
        self.encoder = mlp(inputs, 64, dim)
        self.predictor = mlp(dim, 12, dim)

    def forward(self, x1, x2):
        z1, z2 = self.encoder(x1), self.encoder(x2)
        return self.predictor(z1), self.predictor(z2), z1, z2


def signals(n=32, inputs=20, seed=0):
    for k in range(4):
        g = torch.Generator().manual_seed(seed + k)
        y = torch.randint(0, 5, (n,), generator=g)
        t = torch.linspace(0, 3, inputs)
        clean = torch.sin((y[:, None] + 1) * t + torch.rand(n, 1, generator=g))
        yield (
            clean + 0.2 * torch.randn(clean.shape, generator=g),
            clean + 0.2 * torch.randn(clean.shape, generator=g),
            y,
        )


def regression(p, z):
    return 2 - 2 * F.cosine_similarity(p, z, dim=-1).mean()


def byol(model, batch):
    x1, x2, y = batch
    o1, o2 = model.online(x1), model.online(x2)
    with torch.no_grad():
        t1, t2 = model.target(x1), model.target(x2)
    return {
        "byol": regression(model.predictor(o1), t2) + regression(model.predictor(o2), t1),
        "probe": F.cross_entropy(model.probe(o1.detach()), y),
    }


def byol_target_learns(model, batch):
    """Neither no_grad nor a frozen target network."""
    x1, x2, y = batch
    o1, o2 = model.online(x1), model.online(x2)
    t1, t2 = model.target(x1), model.target(x2)
    return {
        "byol": regression(model.predictor(o1), t2) + regression(model.predictor(o2), t1),
        "probe": F.cross_entropy(model.probe(o1.detach()), y),
    }


def D(p, z):
    p, z = F.normalize(p, dim=1), F.normalize(z, dim=1)
    return -(p * z).sum(dim=1).mean()


def simsiam(model, batch):
    p1, p2, z1, z2 = model(batch[0], batch[1])
    variance = F.relu(0.2 - (z1.var(0) + 1e-4).sqrt()).mean() + (z1.mean(0) ** 2).mean()
    return {"similarity": D(p1, z2.detach()) / 2 + D(p2, z1.detach()) / 2, "variance": variance}


def byol_positive(model, batch):
    """Written as a distance, but it is the similarity."""
    x1, x2, y = batch
    o1, o2 = model.online(x1), model.online(x2)
    with torch.no_grad():
        t1, t2 = model.target(x1), model.target(x2)
    p1, p2 = model.predictor(o1), model.predictor(o2)
    similarity = F.cosine_similarity(p1, t2).mean() + F.cosine_similarity(p2, t1).mean()
    return {"similarity": similarity / 2, "probe": F.cross_entropy(model.probe(o1.detach()), y)}


def detached_predictions(model, batch):
    """The stop-gradient is on the wrong side."""
    p1, p2, z1, z2 = model(batch[0], batch[1])
    with torch.no_grad():
        q1, q2 = F.normalize(p1, dim=1), F.normalize(p2, dim=1)
    t1, t2 = F.normalize(z1, dim=1).detach(), F.normalize(z2, dim=1).detach()
    return {"similarity": -(q1 * t2).sum(1).mean() - (q2 * t1).sum(1).mean(), "mean": (z1.mean(0) ** 2).mean()}
