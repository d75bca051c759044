"""Soft actor-critic: three objectives that read each other's networks, and a target without gradient."""

import torch
import torch.nn.functional as F
from torch import nn
from torch.distributions import Normal


def mlp(inputs, outputs):
    return nn.Sequential(nn.Linear(inputs, 32), nn.ReLU(), nn.Linear(32, outputs))


class Agent(nn.Module):
    def __init__(self, observations=6, actions=2):
        super().__init__()
        self.actor = mlp(observations, 2 * actions)
        self.q1, self.q2 = mlp(observations + actions, 1), mlp(observations + actions, 1)
        self.log_alpha = nn.Parameter(torch.zeros(()))
        self.entropy_target = -actions

    def act(self, observation):
        mean, log_std = self.actor(observation).chunk(2, dim=1)
        policy = Normal(mean, log_std.clamp(-5, 2).exp())
        raw = policy.rsample()
        action = torch.tanh(raw)
        log_prob = policy.log_prob(raw) - torch.log(1 - action.pow(2) + 1e-6)
        return action, log_prob.sum(1)

    def values(self, observation, action):
        joint = torch.cat([observation, action], dim=1)
        return self.q1(joint).squeeze(1), self.q2(joint).squeeze(1)


def replay():
    for seed in range(4):
        generator = torch.Generator().manual_seed(seed)
        observation = torch.randn(64, 6, generator=generator)
        action = torch.rand(64, 2, generator=generator) * 2 - 1
        yield observation, action, observation[:, 0] - action.norm(dim=1), observation + 0.1 * action[:, :1]


def losses(agent, batch):
    observation, action, reward, following = batch
    with torch.no_grad():
        next_action, next_log_prob = agent.act(following)
        value = torch.min(*agent.values(following, next_action)) - agent.log_alpha.exp() * next_log_prob
        target = reward + 0.99 * value

    q1, q2 = agent.values(observation, action)
    new_action, log_prob = agent.act(observation)
    alpha = agent.log_alpha.exp().detach()
    return {
        "critic": {"q1": F.mse_loss(q1, target), "q2": F.mse_loss(q2, target)},
        "actor": {"policy": (alpha * log_prob - torch.min(*agent.values(observation, new_action))).mean()},
        "temperature": {"alpha": -(agent.log_alpha * (log_prob.detach() + agent.entropy_target)).mean()},
    }
