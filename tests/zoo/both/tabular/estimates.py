"""Tabular and sequential estimates: quantiles, variances, orders, survival, rankings, forecasts."""

import math

import torch
import torch.nn as nn
import torch.nn.functional as F


class Tabular(nn.Module):
    """Embeddings of categories beside numbers."""

    def __init__(self, numbers=6, categories=5, hidden=32, outputs=3):
        super().__init__()
        self.embedding = nn.Embedding(categories, 4)
        self.net = nn.Sequential(
            nn.Linear(numbers + 4, hidden),
            nn.BatchNorm1d(hidden),
            nn.ReLU(),
            nn.Dropout(0.1),
            nn.Linear(hidden, hidden),
            nn.ReLU(),
        )
        self.out = nn.Linear(hidden, outputs) if outputs else nn.Identity()
        self.head = nn.Linear(hidden, 1)

    def forward(self, batch):
        h = self.net(torch.cat([batch["numbers"], self.embedding(batch["category"])], 1))
        return self.out(h), self.head(h).squeeze(1)


def table(n=48, numbers=6, categories=5, seed=0):
    for k in range(4):
        g = torch.Generator().manual_seed(seed + k)
        x = torch.randn(n, numbers, generator=g)
        c = torch.randint(0, categories, (n,), generator=g)
        y = x[:, 0] - x[:, 1] * (c > 2) + 0.3 * torch.randn(n, generator=g) * (1 + x[:, 2].abs())
        time = torch.exp(1 - 0.5 * y) * -torch.log(torch.rand(n, generator=g).clamp(min=1e-6))
        yield {
            "numbers": x,
            "category": c,
            "y": y,
            "grade": torch.bucketize(y, torch.tensor([-1.0, 0.0, 1.0])),
            "time": time,
            "event": (time < 5).float(),
        }


def quantiles(model, batch):
    """Pinball loss of three quantiles, Huber of the mean."""
    q, mean = model(batch)
    tau = torch.tensor([0.1, 0.5, 0.9])
    u = batch["y"][:, None] - q
    return {"pinball": torch.maximum(tau * u, (tau - 1) * u).mean(), "huber": F.huber_loss(mean, batch["y"], delta=1.0)}


def gaussian(model, batch):
    """A learned variance; the values may be negative."""
    out, mean = model(batch)
    var = F.softplus(out[:, 0]) + 1e-4
    return {"nll": F.gaussian_nll_loss(mean, batch["y"], var), "sharpness": var.log().mean()}


def small_noise(model, batch):
    out, mean = model(batch)
    log_var = out[:, 0] - 4.0
    y = 0.05 * batch["y"]
    return {
        "nll": (0.5 * (y - 0.05 * mean) ** 2 * torch.exp(-log_var) + 0.5 * log_var).mean(),
        "l2": mean.pow(2).mean(),
    }


def ordinal(model, batch):
    """Cumulative links: is the grade above each of the thresholds?"""
    levels, mean = model(batch)
    above = (batch["grade"][:, None] > torch.arange(3)).float()
    return {"ordinal": F.binary_cross_entropy_with_logits(levels, above), "value": F.smooth_l1_loss(mean, batch["y"])}


def cox(model, batch):
    """Negative partial likelihood of the risks."""
    out, risk = model(batch)
    order = batch["time"].argsort(descending=True)
    r, e = risk[order], batch["event"][order]
    partial = ((r - torch.logcumsumexp(r, 0)) * e).sum() / e.sum().clamp(min=1)
    return {"cox": -partial, "grade": F.cross_entropy(F.pad(out, (0, 1)), batch["grade"])}


def ranking(model, batch):
    """Margin ranking and RankNet of random pairs."""
    out, score = model(batch)
    a, b = score[::2], score[1::2]
    better = torch.sign(batch["y"][::2] - batch["y"][1::2])
    return {
        "margin": F.margin_ranking_loss(a, b, better, margin=0.1),
        "ranknet": F.softplus(-better * (a - b)).mean(),
        "scale": 0.01 * score.pow(2).mean(),
    }


class Recommender(nn.Module):
    def __init__(self, users=40, items=60, dim=12, popularity=True):
        super().__init__()
        self.user, self.item = nn.Embedding(users, dim), nn.Embedding(items, dim)
        if popularity:
            self.bias = nn.Embedding(items, 1)

    def forward(self, user, item):
        return (self.user(user) * self.item(item)).sum(-1) / self.user.embedding_dim**0.5 + self.bias(item).squeeze(-1)


def purchases(n=64, users=40, items=60, seed=0):
    for k in range(4):
        g = torch.Generator().manual_seed(seed + k)
        u = torch.randint(0, users, (n,), generator=g)
        i = (u + torch.randint(0, 8, (n,), generator=g)) % items
        yield {"user": u, "liked": i, "other": torch.randint(0, items, (n,), generator=g)}


def bpr(model, batch):
    """Bayesian personalised ranking with L2 on what was looked up."""
    good, bad = model(batch["user"], batch["liked"]), model(batch["user"], batch["other"])
    l2 = sum(
        e.pow(2).sum(1).mean()
        for e in (model.user(batch["user"]), model.item(batch["liked"]), model.item(batch["other"]))
    )
    return {"bpr": -F.logsigmoid(good - bad).mean(), "l2": l2}


def sampled_softmax(model, batch):
    u, i = model.user(batch["user"]), model.item(batch["liked"])
    logits = u @ i.T / u.shape[1] ** 0.5
    same = batch["liked"][:, None] == batch["liked"][None]
    logits = logits.masked_fill(same & ~torch.eye(len(u), dtype=torch.bool), -1e9)
    return {"softmax": F.cross_entropy(logits, torch.arange(len(u))), "norm": u.pow(2).mean() + i.pow(2).mean()}


class Forecaster(nn.Module):
    def __init__(self, hidden=24, horizon=6):
        super().__init__()
        self.rnn = nn.LSTM(2, hidden, batch_first=True)
        self.mean, self.scale = nn.Linear(hidden, horizon), nn.Linear(hidden, horizon)

    def forward(self, past):
        mu = past[..., :1].mean(1)
        spread = past[..., :1].std(1) + 1e-3
        x = torch.cat([(past[..., :1] - mu[:, None]) / spread[:, None], past[..., 1:]], -1)
        _, (h, _) = self.rnn(x)
        return mu + spread * self.mean(h[0]), spread * (F.softplus(self.scale(h[0])) + 1e-2)


def load_curves(n=16, past=24, horizon=6, level=1.0, seed=0):
    for k in range(3):
        g = torch.Generator().manual_seed(seed + k)
        t = torch.arange(past + horizon)
        phase = 24 * torch.rand(n, 1, generator=g)
        load = level * (2 + torch.sin(2 * math.pi * (t + phase) / 24)) + 0.1 * level * torch.randn(
            n, past + horizon, generator=g
        )
        hour = torch.cos(2 * math.pi * (t + phase) / 24)
        yield torch.stack([load, hour], -1)[:, :past], load[:, past:]


def forecast(output, batch):
    mean, scale = output
    dist = torch.distributions.StudentT(5.0, mean, scale)
    smape = (2 * (mean - batch[1]).abs() / (mean.abs() + batch[1].abs() + 1e-6)).mean()
    return {"nll": -dist.log_prob(batch[1]).mean(), "smape": smape}


def decomposed(output, batch):
    """Level and shape of the forecast separately."""
    mean, scale = output
    target = batch[1]
    level = F.l1_loss(mean.mean(1), target.mean(1))
    shape = F.mse_loss(mean - mean.mean(1, keepdim=True), target - target.mean(1, keepdim=True))
    return {
        "level": level,
        "shape": shape,
        "scale": (scale.log() - (mean - target).abs().detach().clamp(min=1e-2).log()).pow(2).mean(),
    }
