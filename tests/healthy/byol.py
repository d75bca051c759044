"""Bootstrap your own latent: an online network predicts what a slow copy of itself sees; fine-tuned with few labels."""

import copy

import torch
import torch.nn.functional as F
from torch import nn


class BYOL(nn.Module):
    def __init__(self):
        super().__init__()
        self.online = nn.Sequential(nn.Linear(16, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Linear(32, 16))
        self.predictor = nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 16))
        self.classifier = nn.Linear(16, 3)
        self.target = copy.deepcopy(self.online).requires_grad_(False)

    @torch.no_grad()
    def update_target(self, momentum=0.99):
        for slow, fast in zip(self.target.parameters(), self.online.parameters(), strict=True):
            slow.mul_(momentum).add_(fast, alpha=1 - momentum)


def batches():
    for seed in range(4):
        generator = torch.Generator().manual_seed(seed)
        labels = torch.randint(0, 3, (32,), generator=generator)
        x = torch.randn(32, 16, generator=generator) + F.one_hot(labels, 16)
        yield x, x + 0.1 * torch.randn(32, 16, generator=generator), labels


def losses(model, batch):
    first, second, labels = batch
    model.update_target()
    z = model.online(first)
    with torch.no_grad():
        goal = model.target(second)
    similarity = F.cosine_similarity(model.predictor(z), goal, dim=1)
    return {"byol": 2 - 2 * similarity.mean(), "supervised": F.cross_entropy(model.classifier(z), labels)}
