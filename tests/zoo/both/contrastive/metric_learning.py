"""Metric learning on measurements of items: triplets, pairs, centres, proxies."""

import torch
import torch.nn.functional as F
from torch import nn


class Embedder(nn.Module):
    def __init__(self, inputs=12, dim=8, classes=6, hidden=48):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(inputs, hidden), nn.ReLU(), nn.Linear(hidden, dim))
        self.head = nn.Linear(dim, classes)
        self.centers = nn.Parameter(torch.randn(classes, dim))

    def forward(self, x):
        return self.net(x)


def triplets(n=32, inputs=12, classes=6, spread=0.5, far=1.0, dim=8):
    for seed in range(4):
        g = torch.Generator().manual_seed(seed + 70)
        means = far * torch.randn(classes, inputs, generator=torch.Generator().manual_seed(7))
        y = torch.randint(0, classes, (n,), generator=g)
        other = (y + torch.randint(1, classes, (n,), generator=g)) % classes
        draw = lambda c: means[c] + spread * torch.randn(n, inputs, generator=g)  # noqa: E731
        words = torch.randn(classes, dim, generator=torch.Generator().manual_seed(8))
        yield {"anchor": draw(y), "positive": draw(y), "negative": draw(other), "label": y, "word": words[y]}


def triplet(model, batch):
    """Most triplets of well separated classes are inactive."""
    a, p, n = (model(batch[k]) for k in ("anchor", "positive", "negative"))
    return {
        "triplet": F.triplet_margin_loss(a, p, n, margin=1.0),
        "center": (a - model.centers[batch["label"]]).pow(2).sum(1).mean(),
        "ce": F.cross_entropy(model.head(a), batch["label"]),
    }


def pairs(model, batch):
    a, p, n = (F.normalize(model(batch[k]), dim=1) for k in ("anchor", "positive", "negative"))
    same = torch.ones(len(a))
    cosine = F.cosine_embedding_loss(a, p, same) + F.cosine_embedding_loss(a, n, -same, margin=0.2)
    proxies = F.normalize(model.centers, dim=1)
    logits = 16 * (a @ proxies.T - 0.1 * F.one_hot(batch["label"], len(proxies)))
    return {
        "cosine": cosine,
        "proxy": F.cross_entropy(logits, batch["label"]),
        "ce": F.cross_entropy(model.head(a), batch["label"]),
    }


def similarity_minimised(model, batch):
    """Items are aligned with the word vector of their class; the cosine goes into the total as it is."""
    a = model(batch["anchor"])
    return {
        "alignment": F.cosine_similarity(a, batch["word"], dim=1).mean(),
        "ce": F.cross_entropy(model.head(a), batch["label"]),
    }


def swapped_roles(model, batch):
    """The triplet's positive is the anchor."""
    a, n = model(batch["anchor"]), model(batch["negative"])
    return {
        "pull": F.mse_loss(a, a),
        "push": F.relu(1.0 - F.pairwise_distance(a, n)).mean(),
        "ce": F.cross_entropy(model.head(a), batch["label"]),
    }


def euclidean(model, batch):
    a, p, n = (model(batch[k]) for k in ("anchor", "positive", "negative"))
    d_ap = ((a - p) ** 2).sum(1).sqrt()
    d_an = ((a - n) ** 2).sum(1).sqrt()
    return {"triplet": F.relu(d_ap - d_an + 0.5).mean(), "ce": F.cross_entropy(model.head(a), batch["label"])}


class Hard(nn.Module):
    """Batch-hard mining by distances, whose diagonal is zero."""

    def forward(self, z, y):
        square = (z[:, None] - z[None]).pow(2).sum(-1)
        d = torch.sqrt(square)
        same = y[:, None] == y[None]
        hardest_positive = torch.where(same, d, 0.0).amax(1)
        hardest_negative = torch.where(same, d + 1e3, d).amin(1)
        return F.softplus(hardest_positive - hardest_negative).mean() + 0.01 * d.mean()


class EpsHard(Hard):
    def forward(self, z, y):
        d = torch.sqrt((z[:, None] - z[None]).pow(2).sum(-1) + 1e-12)
        same = y[:, None] == y[None]
        return F.softplus(torch.where(same, d, 0.0).amax(1) - torch.where(same, d + 1e3, d).amin(1)).mean()


hard, eps_hard = Hard(), EpsHard()


def batch_hard(model, batch):
    z = model(batch["anchor"])
    return {"hard": hard(z, batch["label"]), "ce": F.cross_entropy(model.head(z), batch["label"])}


def batch_hard_safe(model, batch):
    z = model(batch["anchor"])
    return {
        "hard": eps_hard(z, batch["label"]),
        "ce": F.cross_entropy(model.head(z), batch["label"]),
        "center": 0.1 * (z - model.centers[batch["label"]]).pow(2).mean(),
    }


class PointSet(nn.Module):
    """Directions of the points of a set, from their features; no bias at the start."""

    def __init__(self, inputs=6, dim=8, classes=3):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(inputs, 32), nn.Tanh(), nn.Linear(32, dim))
        self.classes = nn.Linear(dim, classes)
        for module in self.net:
            if isinstance(module, nn.Linear):
                nn.init.zeros_(module.bias)

    def forward(self, points):
        return self.net(points)


def point_sets(n=8, points=10, inputs=6, padded=4):
    """Sets of different length, filled up with zeros."""
    for seed in range(3):
        g = torch.Generator().manual_seed(seed)
        x = torch.randn(n, points, inputs, generator=g)
        x[: n // 2, points - padded :] = 0
        yield x, {"direction": F.normalize(x[..., :3], dim=-1), "label": x[:, 0, 3].gt(0).long()}


def directions(model, batch):
    x, target = batch
    z = model(x)
    unit = F.normalize(z[..., :3], dim=-1)
    return {
        "direction": (1 - (unit * target["direction"] + 0.1 * unit).sum(-1)).mean(),
        "ce": F.cross_entropy(model.classes(z.mean(1)), target["label"]),
    }
