"""Classification losses that average over what may be nothing."""

import torch
import torch.nn.functional as F
from torch import nn


class Embedder(nn.Module):
    def __init__(self, inputs=24, dim=16, classes=12):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(inputs, 48), nn.LayerNorm(48), nn.GELU(), nn.Linear(48, dim))
        self.classifier = nn.Linear(dim, classes)

    def forward(self, x):
        z = self.body(x)
        return F.normalize(z, dim=1), self.classifier(z)


class Identities(torch.utils.data.Dataset):
    def __init__(self, n=64, inputs=24, classes=12, seed=0):
        g = torch.Generator().manual_seed(seed)
        self.y = torch.randint(0, classes, (n,), generator=g)
        centres = torch.randn(classes, inputs, generator=g)
        self.x = centres[self.y] + 0.7 * torch.randn(n, inputs, generator=g)

    def __len__(self):
        return len(self.y)

    def __getitem__(self, i):
        return self.x[i], self.y[i]


def supcon(z, y, temperature=0.1):
    """SupContrast, before the guard for anchors without a positive."""
    logits = z @ z.T / temperature
    logits = logits - logits.max(dim=1, keepdim=True).values.detach()
    others = 1 - torch.eye(len(z))
    positives = (y[:, None] == y[None, :]).float() * others
    log_prob = logits - torch.log((logits.exp() * others).sum(1, keepdim=True))
    return -((positives * log_prob).sum(1) / positives.sum(1)).mean()


def contrastive_terms(output, batch):
    z, logits = output
    return {"ce": F.cross_entropy(logits, batch[1]), "supcon": supcon(z, batch[1])}


class PairLoss(nn.Module):
    """Pulls the pairs of a class together: the mean distance of all positive pairs."""

    def forward(self, z, y):
        same = (y[:, None] == y[None, :]).triu(diagonal=1)
        distances = torch.cdist(z, z)
        return distances[same].mean()


pairs = PairLoss()


def pair_step(model, batch):
    z, logits = model(batch[0])
    return {"id": F.cross_entropy(logits, batch[1]), "pull": pairs(z, batch[1])}


class PartlyLabelled(torch.utils.data.Dataset):
    """Semi-supervised: −1 is no label. Some batches have labels only by luck."""

    def __init__(self, n=64, inputs=24, classes=12, labelled=0.3, seed=0):
        g = torch.Generator().manual_seed(seed)
        self.x = torch.randn(n, inputs, generator=g)
        y = torch.randint(0, classes, (n,), generator=g)
        self.y = torch.where(torch.rand(n, generator=g) < labelled, y, -1)
        self.y[::8] = y[::8]

    def __len__(self):
        return len(self.y)

    def __getitem__(self, i):
        return self.x[i], self.y[i]


def supervised_mean(output, batch):
    z, logits = output
    y = batch[1]
    return {
        "supervised": F.cross_entropy(logits, y, ignore_index=-1),
        "spread": (z.std(0) - 0.25).pow(2).mean(),
    }


def masked_step(model, batch):
    x, y = batch
    z, logits = model(x)
    mask = (y >= 0).float()
    nll = F.cross_entropy(logits, y.clamp(min=0), reduction="none")
    p = logits.softmax(1)
    return {"labelled": (nll * mask).sum() / mask.sum(), "entropy": -(p * (p + 1e-8).log()).sum(1).mean()}
