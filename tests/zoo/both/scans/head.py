"""Age and lesions of head scans, whose batches are a dataclass."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn


@dataclass
class Scans:
    image: Tensor
    age: Tensor
    lesion: Tensor


class AgeAndLesion(nn.Module):
    def __init__(self, width=8):
        super().__init__()
        self.stem = nn.Conv2d(1, width, 3, padding=1)
        self.age, self.lesion = nn.Linear(width, 1), nn.Conv2d(width, 1, 1)

    def forward(self, x):
        h = F.gelu(self.stem(x))
        return self.age(h.mean((2, 3))).squeeze(-1), self.lesion(h)


def scans(n=8, size=20, seed=0, lost=False, batches=3):
    """Patients with a lesion each; `lost`: the reader did not find the masks."""
    generator = torch.Generator().manual_seed(seed)
    for _ in range(batches):
        lesion = torch.zeros(n, 1, size, size)
        for i in range(n):
            top, left = torch.randint(2, size - 9, (2,), generator=generator)
            lesion[i, :, top : top + 4 + i % 4, left : left + 7] = 1
        image = lesion + 0.3 * torch.randn(lesion.shape, generator=generator)
        age = 60 + 10 * torch.randn(n, generator=generator)
        yield Scans(image, age, torch.zeros_like(lesion) if lost else lesion)


def squared_dice(p, t):
    overlap = 2 * (p * t).sum((1, 2, 3))
    return (overlap / (p.square().sum((1, 2, 3)) + t.square().sum((1, 2, 3)) + 1e-6)).mean()


def years(age, batch):
    return F.l1_loss(age, (batch.age - 60) / 10)


def losses(model, batch):
    age, lesion = model(batch.image)
    return {"age": years(age, batch), "lesion": 1 - squared_dice(lesion.sigmoid(), batch.lesion)}


def scores(model, batch):
    age, lesion = model(batch.image)
    return {"age": years(age, batch), "lesion": squared_dice(lesion.sigmoid(), batch.lesion)}


def pixels(model, batch, reduction="mean"):
    age, lesion = model(batch.image)
    return {
        "age": years(age, batch),
        "lesion": F.binary_cross_entropy_with_logits(lesion, batch.lesion, reduction=reduction),
    }


def summed(model, batch):
    return pixels(model, batch, reduction="sum")
