"""A segmentation whose training step adds up its losses, rightly or not."""

import torch
import torch.nn.functional as F
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.Dropout(0.1))
        self.head = nn.Conv2d(8, 2, 1)

    def forward(self, x):
        return self.head(self.body(x))


def batches():
    for seed in range(2):
        generator = torch.Generator().manual_seed(seed)
        yield {
            "image": torch.rand(4, 3, 8, 8, generator=generator),
            "mask": torch.randint(2, (4, 8, 8), generator=generator),
        }


def losses(model, batch):
    logits = model(batch["image"])
    probabilities = logits.softmax(1)[:, 1]
    return {
        "ce": F.cross_entropy(logits, batch["mask"]),
        "tv": (probabilities[:, 1:] - probabilities[:, :-1]).abs().mean(),
        "dice": 1 - 2 * (probabilities * batch["mask"]).sum() / (probabilities.sum() + batch["mask"].sum()),
    }


def right(model, batch):
    values = losses(model, batch)
    return values["ce"] + 0.5 * values["dice"] + 0.1 * values["tv"]


def added_twice(model, batch):
    values = losses(model, batch)
    loss = values["ce"] + 0.5 * values["dice"]
    return loss + 0.5 * values["dice"] + 0.1 * values["tv"]


def forgotten(model, batch):
    values = losses(model, batch)
    return values["ce"] + 0.5 * values["dice"]


def with_penalty(model, batch):
    return right(model, batch) + sum(parameter.square().sum() for parameter in model.parameters())


def accumulated(model, batch):
    return right(model, batch) / 4


def told(model, batch, weights):
    values = losses(model, batch)
    return sum(weights[name] * value for name, value in values.items())


def switched(model, batch, weights):
    values = losses(model, batch)
    total = values["ce"] * weights["ce"] + values["dice"] * weights["dice"]
    return total + values["tv"] if weights["tv"] > 0 else total


def squared(model, batch, weights):
    return sum(weights[name] ** 2 * value for name, value in losses(model, batch).items())
