"""Proximal policy optimisation: clipped policy, value, and an entropy bonus with a negative coefficient."""

import torch
import torch.nn.functional as F
from torch import nn
from torch.distributions import Categorical


class ActorCritic(nn.Module):
    def __init__(self, observations=6, actions=4):
        super().__init__()
        self.trunk = nn.Sequential(nn.Linear(observations, 32), nn.Tanh(), nn.Linear(32, 32), nn.Tanh())
        self.policy = nn.Linear(32, actions)
        self.value = nn.Linear(32, 1)

    def forward(self, observation):
        hidden = self.trunk(observation)
        return Categorical(logits=self.policy(hidden)), self.value(hidden).squeeze(-1)


def rollouts(size=64):
    for seed in range(4):
        generator = torch.Generator().manual_seed(seed)
        observation = torch.randn(size, 6, generator=generator)
        action = torch.randint(0, 4, (size,), generator=generator)
        returns = observation[:, 0] + 0.1 * torch.randn(size, generator=generator)
        yield {
            "observation": observation,
            "action": action,
            "old_log_prob": torch.full((size,), -1.386) + 0.05 * torch.randn(size, generator=generator),
            "advantage": returns - 0.2 * action,
            "return": returns,
        }


def losses(model, batch):
    distribution, value = model(batch["observation"])
    advantage = (batch["advantage"] - batch["advantage"].mean()) / (batch["advantage"].std() + 1e-8)
    ratio = (distribution.log_prob(batch["action"]) - batch["old_log_prob"]).exp()
    clipped = ratio.clamp(0.8, 1.2)
    return {
        "policy": -torch.min(ratio * advantage, clipped * advantage).mean(),
        "value": F.mse_loss(value, batch["return"]),
        "entropy": distribution.entropy().mean(),
    }
