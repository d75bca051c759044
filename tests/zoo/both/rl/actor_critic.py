"""PPO and A2C on a small control problem, discrete and continuous actions."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.distributions import Categorical, Normal


class Policy(nn.Module):
    def __init__(self, obs=5, actions=3, hidden=32, shared=True):
        super().__init__()
        self.trunk = nn.Sequential(nn.Linear(obs, hidden), nn.Tanh(), nn.Linear(hidden, hidden), nn.Tanh())
        self.pi, self.v = nn.Linear(hidden, actions), nn.Linear(hidden, 1)

    def forward(self, obs):
        h = self.trunk(obs)
        return self.pi(h), self.v(h)


class GaussianPolicy(nn.Module):
    def __init__(self, obs=5, actions=2, hidden=24):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(obs, hidden), nn.ELU())
        self.mu, self.value = nn.Linear(hidden, actions), nn.Linear(hidden, 1)
        self.log_std = nn.Parameter(-0.5 * torch.ones(actions))

    def forward(self, obs):
        h = self.body(obs)
        return Normal(self.mu(h), self.log_std.exp()), self.value(h).squeeze(-1)


def rollouts(n=48, obs=5, actions=3, reward_scale=1.0, seed=0, continuous=False):
    for k in range(4):
        g = torch.Generator().manual_seed(seed + k)
        o = torch.randn(n, obs, generator=g)
        if continuous:
            a = torch.randn(n, 2, generator=g) * 0.6
            ret = (o[:, 0] - (a - o[:, :2]).pow(2).sum(1)) * reward_scale
            old = Normal(torch.zeros(n, 2), 0.6).log_prob(a).sum(1)
        else:
            a = torch.randint(0, actions, (n,), generator=g)
            ret = (o[:, 0] + 0.5 * (a == o[:, :actions].argmax(1))) * reward_scale
            old = torch.full((n,), -float(torch.tensor(actions).log()))
        adv = ret - ret.mean()
        yield {"obs": o, "actions": a, "returns": ret, "advantages": adv, "old_log_probs": old}


def normalised(x):
    return (x - x.mean()) / (x.std() + 1e-8)


def ppo(model, batch, clip=0.2):
    logits, v = model(batch["obs"])
    dist = Categorical(logits=logits)
    ratio = torch.exp(dist.log_prob(batch["actions"]) - batch["old_log_probs"])
    adv = normalised(batch["advantages"])
    return {
        "policy": -torch.min(ratio * adv, ratio.clamp(1 - clip, 1 + clip) * adv).mean(),
        "value": F.mse_loss(v.squeeze(-1), batch["returns"]),
        "entropy": -dist.entropy().mean(),
    }


def continuous(model, batch):
    """Entropy with a negative coefficient; Huber for the value."""
    dist, v = model(batch["obs"])
    log_prob = dist.log_prob(batch["actions"]).sum(-1)
    ratio = (log_prob - batch["old_log_probs"]).exp()
    adv = normalised(batch["advantages"])
    surrogate = torch.minimum(ratio * adv, ratio.clamp(0.8, 1.2) * adv)
    return {
        "policy": -surrogate.mean(),
        "value": F.huber_loss(v, batch["returns"]),
        "entropy": dist.entropy().sum(-1).mean(),
    }


def unsqueezed_value(model, batch):
    logits, v = model(batch["obs"])
    dist = Categorical(logits=logits)
    return {
        "policy": -(dist.log_prob(batch["actions"]) * normalised(batch["advantages"])).mean(),
        "value": F.mse_loss(v, batch["returns"]),
    }


def by_hand_value(model, batch):
    dist, v = model(batch["obs"])
    delta = batch["returns"].unsqueeze(-1) - v
    return {
        "policy": -(dist.log_prob(batch["actions"]).sum(-1) * normalised(batch["advantages"])).mean(),
        "value": 0.5 * (delta**2).mean(),
    }


def detached_log_prob(model, batch):
    """The log-probabilities are those that the sampler stored, without a graph."""
    logits, v = model(batch["obs"])
    with torch.no_grad():
        log_prob = Categorical(logits=logits).log_prob(batch["actions"])
    return {
        "policy": -(log_prob * normalised(batch["advantages"])).mean(),
        "value": F.mse_loss(v.squeeze(-1), batch["returns"]),
    }


def advantage_of_the_live_value(model, batch):
    """The advantage is not detached: the policy gradient trains the critic."""
    logits, v = model(batch["obs"])
    log_prob = Categorical(logits=logits).log_prob(batch["actions"]).detach()
    return {
        "policy": -(log_prob * (batch["returns"] - v.detach().squeeze(-1))).mean(),
        "value": F.mse_loss(v.squeeze(-1), batch["returns"]),
    }


def policy_summed(model, batch):
    logits, v = model(batch["obs"])
    dist = Categorical(logits=logits)
    return {
        "policy": -(dist.log_prob(batch["actions"]) * normalised(batch["advantages"])).sum(),
        "value": 0.5 * F.mse_loss(v.squeeze(-1), batch["returns"]),
        "entropy": dist.entropy().mean(),
    }


def large_rewards(model, batch):
    dist, v = model(batch["obs"])
    log_prob = dist.log_prob(batch["actions"]).sum(-1)
    return {"policy": -(log_prob * normalised(batch["advantages"])).mean(), "value": F.mse_loss(v, batch["returns"])}


def large_rewards_discrete(model, batch):
    parts = ppo(model, batch)
    return {"policy": parts["policy"], "value": parts["value"]}


def log_of_hard_probabilities(model, batch):
    """Entropy with p log p, where masked actions have a probability of 0."""
    logits, v = model(batch["obs"])
    allowed = torch.ones_like(logits, dtype=torch.bool)
    allowed[:, -1] = batch["obs"][:, -1] > 0
    p = logits.masked_fill(~allowed, float("-inf")).softmax(-1)
    entropy = -(p * torch.log(p)).sum(-1).mean()
    return {"value": F.mse_loss(v.squeeze(-1), batch["returns"]), "entropy": -entropy}


def masked_entropy(model, batch):
    logits, v = model(batch["obs"])
    allowed = torch.ones_like(logits, dtype=torch.bool)
    allowed[:, -1] = batch["obs"][:, -1] > 0
    dist = Categorical(logits=logits.masked_fill(~allowed, -1e8))
    action = batch["actions"].where(
        allowed.gather(1, batch["actions"][:, None]).squeeze(1), torch.zeros_like(batch["actions"])
    )
    return {
        "policy": -(dist.log_prob(action) * normalised(batch["advantages"])).mean(),
        "value": F.smooth_l1_loss(v.squeeze(-1), batch["returns"]),
        "entropy": dist.entropy().mean(),
    }
