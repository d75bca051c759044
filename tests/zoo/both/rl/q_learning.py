"""Value-based agents: double DQN with a target network, quantile regression, SAC and TD3-like critics."""

import copy

import torch
import torch.nn.functional as F
from torch import nn


def mlp(i, o, h=32):
    return nn.Sequential(nn.Linear(i, h), nn.ReLU(), nn.Linear(h, o))


class DQN(nn.Module):
    def __init__(self, obs=4, actions=3, atoms=1, frozen=True):
        super().__init__()
        self.actions, self.atoms = actions, atoms
        self.q = mlp(obs, actions * atoms)
        self.target = copy.deepcopy(self.q)
        if frozen:
            self.target.requires_grad_(False)
        self.model = mlp(obs + actions, obs)

    def values(self, obs, net=None):
        return (net or self.q)(obs).unflatten(-1, (self.actions, self.atoms)).squeeze(-1)


class Replay(torch.utils.data.Dataset):
    def __init__(self, n=96, obs=4, actions=3, scale=1.0, seed=0):
        g = torch.Generator().manual_seed(seed)
        self.obs = torch.randn(n, obs, generator=g)
        self.action = torch.randint(0, actions, (n,), generator=g)
        self.next = 0.9 * self.obs + 0.1 * F.one_hot(self.action, obs) + 0.05 * torch.randn(n, obs, generator=g)
        self.reward = scale * (self.next[:, 0] - 0.1 * self.action)
        self.done = (torch.rand(n, generator=g) < 0.1).float()

    def __len__(self):
        return len(self.obs)

    def __getitem__(self, i):
        return self.obs[i], self.action[i], self.reward[i], self.next[i], self.done[i]


def dynamics(model, obs, action, following):
    return F.mse_loss(model.model(torch.cat([obs, F.one_hot(action, model.actions)], 1)), following - obs)


def double_dqn(model, batch):
    obs, action, reward, following, done = batch
    q = model.values(obs).gather(1, action[:, None]).squeeze(1)
    with torch.no_grad():
        best = model.values(following).argmax(1, keepdim=True)
        target = reward + 0.99 * (1 - done) * model.values(following, model.target).gather(1, best).squeeze(1)
    return {"td": F.smooth_l1_loss(q, target), "dynamics": dynamics(model, obs, action, following)}


def quantiles(model, batch):
    obs, action, reward, following, done = batch
    n = model.atoms
    z = model.values(obs)[torch.arange(len(obs)), action]
    with torch.no_grad():
        nxt = model.values(following, model.target)
        nxt = nxt[torch.arange(len(obs)), nxt.mean(-1).argmax(1)]
        target = reward[:, None] + 0.99 * (1 - done)[:, None] * nxt
    u = target[:, None, :] - z[:, :, None]
    tau = (torch.arange(n) + 0.5) / n
    huber = torch.where(u.abs() <= 1, 0.5 * u**2, u.abs() - 0.5)
    loss = ((tau[None, :, None] - (u < 0).float()).abs() * huber).mean(2).sum(1).mean()
    return {"quantile": loss, "dynamics": dynamics(model, obs, action, following)}


def live_target(model, batch):
    """Nobody has frozen the target network, and nobody says no_grad."""
    obs, action, reward, following, done = batch
    q = model.values(obs).gather(1, action[:, None]).squeeze(1)
    target = reward + 0.99 * (1 - done) * model.values(following, model.target).max(1).values
    return {"td": F.mse_loss(q, target), "dynamics": dynamics(model, obs, action, following)}


def q_broadcast(model, batch):
    obs, action, reward, following, done = batch
    q = model.values(obs).gather(1, action[:, None])
    with torch.no_grad():
        target = reward + 0.99 * (1 - done) * model.values(following, model.target).max(1).values
    return {"td": F.mse_loss(q, target), "dynamics": dynamics(model, obs, action, following)}


def td_of_max_index(model, batch):
    """max() gives values and indices; the indices went into the loss."""
    obs, action, reward, following, done = batch
    q = model.values(obs).max(1)[1].float()
    with torch.no_grad():
        target = reward + 0.99 * (1 - done) * model.values(following, model.target).max(1).values
    return {"td": F.mse_loss(q, target), "dynamics": dynamics(model, obs, action, following)}


class TD3(nn.Module):
    def __init__(self, obs=4, actions=2, hidden=32):
        super().__init__()
        self.actor = nn.Sequential(mlp(obs, actions, hidden), nn.Tanh())
        self.critic1, self.critic2 = mlp(obs + actions, 1, hidden), mlp(obs + actions, 1, hidden)
        self.actor_target = copy.deepcopy(self.actor).requires_grad_(False)
        self.target1 = copy.deepcopy(self.critic1).requires_grad_(False)
        self.target2 = copy.deepcopy(self.critic2).requires_grad_(False)

    def q(self, obs, action):
        x = torch.cat([obs, action], -1)
        return self.critic1(x), self.critic2(x)


def transitions(n=64, obs=4, actions=2, seed=0, squeeze=False):
    for k in range(3):
        g = torch.Generator().manual_seed(seed + k)
        o = torch.randn(n, obs, generator=g)
        a = torch.rand(n, actions, generator=g) * 2 - 1
        r = (o[:, :1] - a.pow(2).sum(1, keepdim=True)) + 0.1 * torch.randn(n, 1, generator=g)
        yield o, a, r.squeeze(1) if squeeze else r, o + 0.2 * torch.randn(n, obs, generator=g)


def td_target(model, following, reward):
    with torch.no_grad():
        a = model.actor_target(following)
        noise = (torch.randn_like(a) * 0.2).clamp(-0.5, 0.5)
        x = torch.cat([following, (a + noise).clamp(-1, 1)], -1)
        return reward + 0.99 * torch.min(model.target1(x), model.target2(x))


def td3(model, batch):
    obs, action, reward, following = batch
    y = td_target(model, following, reward)
    q1, q2 = model.q(obs, action)
    policy = model.actor(obs)
    return {
        "critic": {"q1": F.mse_loss(q1, y), "q2": F.mse_loss(q2, y)},
        "actor": {"q": -model.critic1(torch.cat([obs, policy], -1)).mean(), "action": policy.pow(2).mean()},
    }


def actor_cut_off(model, batch):
    """The action is detached where the critic judges it."""
    obs, action, reward, following = batch
    y = td_target(model, following, reward)
    q1, q2 = model.q(obs, action)
    policy = model.actor(obs)
    return {
        "critic": {"q1": F.mse_loss(q1, y), "q2": F.mse_loss(q2, y)},
        "actor": {"q": -model.target1(torch.cat([obs, policy.detach()], -1)).mean(), "action": policy.pow(2).mean()},
    }


def flat_reward(model, batch):
    """reward [N] + value [N, 1]."""
    obs, action, reward, following = batch
    y = td_target(model, following, reward)
    q1, q2 = model.q(obs, action)
    return {"q1": F.mse_loss(q1, y), "q2": F.mse_loss(q2, y)}
