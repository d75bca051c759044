"""Two-view contrastive learning with a projection head (SimCLR), and a variance term on the embeddings (VICReg)."""

import torch
import torch.nn.functional as F
from torch import nn


class Encoder(nn.Module):
    def __init__(self, dim=32, projection=16):
        super().__init__()
        self.backbone = nn.Sequential(nn.Linear(20, 64), nn.ReLU(), nn.Linear(64, dim))
        self.projector = nn.Sequential(nn.Linear(dim, dim), nn.ReLU(), nn.Linear(dim, projection))

    def forward(self, view1, view2):
        return self.projector(self.backbone(view1)), self.projector(self.backbone(view2))


class Views(torch.utils.data.IterableDataset):
    def __iter__(self):
        generator = torch.Generator().manual_seed(0)
        while True:
            x = torch.randn(20, generator=generator)
            yield {name: x + 0.1 * torch.randn(20, generator=generator) for name in ("view1", "view2")}


def info_nce(z1, z2, temperature=0.2):
    z1, z2 = F.normalize(z1, dim=1), F.normalize(z2, dim=1)
    logits = z1 @ z2.T / temperature
    labels = torch.arange(len(z1))
    return (F.cross_entropy(logits, labels) + F.cross_entropy(logits.T, labels)) / 2


def variance(z):
    return F.relu(1 - (z.var(dim=0) + 1e-4).sqrt()).mean()


def terms(output, batch):
    z1, z2 = output
    return {"info_nce": info_nce(z1, z2), "variance": variance(z1) + variance(z2)}
