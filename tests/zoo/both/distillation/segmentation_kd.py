"""Distillation beside a loss network that lives in a module of its own, outside the model."""

import torch
import torch.nn.functional as F
from torch import nn


class Small(nn.Module):
    def __init__(self, classes=5, width=8):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(3, width, 3, padding=1), nn.ReLU(), nn.Conv2d(width, width, 3, padding=1), nn.ReLU()
        )
        self.head = nn.Conv2d(width, classes, 1)

    def forward(self, x):
        return self.head(self.body(x))


torch.manual_seed(11)
teacher = nn.Sequential(
    nn.Conv2d(3, 24, 3, padding=1), nn.BatchNorm2d(24), nn.ReLU(), nn.Dropout2d(0.3), nn.Conv2d(24, 5, 1)
).requires_grad_(False)
quiet = (
    nn.Sequential(nn.Conv2d(3, 24, 3, padding=1), nn.BatchNorm2d(24), nn.ReLU(), nn.Conv2d(24, 5, 1))
    .requires_grad_(False)
    .eval()
)


def maps(n=4, size=16, seed=0):
    for k in range(3):
        g = torch.Generator().manual_seed(seed + k)
        coarse = torch.randint(0, 5, (n, 1, 4, 4), generator=g)
        y = F.interpolate(coarse.float(), size=(size, size)).long()[:, 0]
        x = torch.stack([y / 4, (y % 2).float(), (y > 2).float()], 1)
        yield x + 0.2 * torch.randn(x.shape, generator=g), y


def pixelwise(s, t, T=1.0):
    n, c, h, w = s.shape
    log_s, p_t = F.log_softmax(s / T, 1), F.softmax(t / T, 1)
    return F.kl_div(log_s, p_t, reduction="sum") * T * T / (n * h * w)


def good(output, batch):
    return {"ce": F.cross_entropy(output, batch[1]), "kd": pixelwise(output, quiet(batch[0]), 2.0)}


def in_train_mode(output, batch):
    return {"ce": F.cross_entropy(output, batch[1]), "kd": pixelwise(output, teacher(batch[0]), 2.0)}


def mean_over_everything(output, batch):
    kl = F.kl_div(output.log_softmax(1), quiet(batch[0]).softmax(1))
    return {"ce": F.cross_entropy(output, batch[1]), "kd": kl}


def hot(output, batch):
    s, t = output / 30, quiet(batch[0]) / 30
    kl = (t.softmax(1) * (t.log_softmax(1) - s.log_softmax(1))).sum(1).mean()
    p, y = output.softmax(1), F.one_hot(batch[1], 5).permute(0, 3, 1, 2)
    dice = 1 - (2 * (p * y).sum((2, 3)) + 1) / (p.sum((2, 3)) + y.sum((2, 3)) + 1)
    return {"ce": F.cross_entropy(output, batch[1]), "kd": kl, "dice": dice.mean()}
