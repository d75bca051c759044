"""Estimates with a heavy tail: returns without a baseline, importance weights, and what tames them."""

import torch
import torch.nn.functional as F
from torch import nn


class Policy(nn.Module):
    def __init__(self, state=6, actions=5, hidden=32, critic=False):
        super().__init__()
        self.trunk = nn.Sequential(nn.Linear(state, hidden), nn.Tanh(), nn.Linear(hidden, hidden), nn.Tanh())
        self.actor, self.critic = nn.Linear(hidden, actions), nn.Linear(hidden, 1) if critic else None

    def forward(self, state):
        h = self.trunk(state)
        return self.actor(h), self.critic(h).squeeze(-1) if self.critic else None


def episodes(n=24, state=6, actions=5, seed=0, tail=4.0, batches=4):
    """Jackpots: most returns are small, some are enormous, and hardly depend on what was done."""
    for k in range(batches):
        g = torch.Generator().manual_seed(seed + k)
        s = torch.randn(n, state, generator=g)
        a = torch.randint(0, actions, (n,), generator=g)
        luck = torch.exp(tail * torch.randn(n, generator=g))
        yield {
            "states": s,
            "actions": a,
            "returns": (luck + (a == s[:, :actions].argmax(1))) * torch.randn(n, generator=g).sign(),
            "demonstrated": s[:, :actions].argmax(1),
        }


def reinforce(model, batch):
    """Raw returns times log-probabilities, beside the imitation of an expert."""
    logits, _ = model(batch["states"])
    log_p = logits.log_softmax(-1).gather(1, batch["actions"][:, None]).squeeze(1)
    return {"policy": -(log_p * batch["returns"]).mean(), "imitation": F.cross_entropy(logits, batch["demonstrated"])}


def normalised(model, batch):
    """The same with advantages of unit scale, and a critic that learns their logarithm."""
    logits, value = model(batch["states"])
    log_p = logits.log_softmax(-1).gather(1, batch["actions"][:, None]).squeeze(1)
    returns = batch["returns"].sign() * batch["returns"].abs().log1p()
    advantage = ((returns - value.detach()) / returns.std()).clamp(-3, 3)
    return {
        "policy": -(log_p * advantage).mean(),
        "value": F.smooth_l1_loss(value, returns),
        "imitation": F.cross_entropy(logits, batch["demonstrated"]),
    }


class Outcome(nn.Module):
    def __init__(self, features=8, hidden=24):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(features, hidden), nn.ELU(), nn.Linear(hidden, hidden), nn.ELU())
        self.effect, self.baseline = nn.Linear(hidden, 1), nn.Linear(hidden, 1)

    def forward(self, x):
        h = self.body(x)
        return {"effect": self.effect(h)[:, 0], "baseline": self.baseline(h)[:, 0]}


def patients(n=32, features=8, seed=0, strength=5.0, batches=4):
    """Who is treated depends on who they are: some inverse propensities are enormous."""
    for k in range(batches):
        g = torch.Generator().manual_seed(seed + k)
        x = torch.randn(n, features, generator=g)
        propensity = torch.sigmoid(strength * torch.randn(n, generator=g)).clamp(1e-5, 1)
        treated = torch.rand(n, generator=g) < 0.5
        yield {
            "x": x,
            "propensity": propensity,
            "treated": treated,
            "outcome": 0.3 * x[:, 0] + torch.randn(n, generator=g),
            "before": 0.5 * x[:, 1] + 0.2 * torch.randn(n, generator=g),
        }


def inverse_propensity(model, batch, clip=None):
    out = model(batch["x"])
    weight = 1 / batch["propensity"]
    if clip:
        weight = weight.clamp(max=clip) / weight.clamp(max=clip).mean()
    error = (out["effect"] - batch["outcome"]).pow(2)
    return {"effect": (weight * error).mean(), "baseline": F.mse_loss(out["baseline"], batch["before"])}


def clipped_propensity(model, batch):
    """Weights that are cut off at 10 and have a mean of one."""
    return inverse_propensity(model, batch, clip=10.0)
