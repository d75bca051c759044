"""SimCLR, supervised contrast and classification on two views of small textures."""

import torch
import torch.nn.functional as F
from torch import nn


class Encoder(nn.Module):
    def __init__(self, dim=32, width=16, classes=4):
        super().__init__()
        self.backbone = nn.Sequential(
            nn.Conv2d(3, width, 3, stride=2, padding=1),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.Conv2d(width, 2 * width, 3, stride=2, padding=1),
            nn.BatchNorm2d(2 * width),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
        )
        self.projector = nn.Sequential(nn.Linear(2 * width, 64), nn.ReLU(), nn.Linear(64, dim))
        self.classifier = nn.Linear(2 * width, classes)

    def forward(self, x):
        h = self.backbone(x)
        return self.projector(h), self.classifier(h)


def views(n=24, size=16, classes=4, seed=0, batches=4):
    for k in range(batches):
        g = torch.Generator().manual_seed(seed * 100 + k)
        y = torch.randint(0, classes, (n,), generator=g)
        angle = y[:, None, None] * 0.7
        u, v = torch.meshgrid(torch.linspace(-3, 3, size), torch.linspace(-3, 3, size), indexing="ij")
        base = torch.sin(3 * (u * angle.cos() + v * angle.sin()) + torch.rand(n, 1, 1, generator=g) * 6)
        image = base[:, None] * torch.rand(n, 3, 1, 1, generator=g)
        noisy = [image + 0.3 * torch.randn(image.shape, generator=g) for _ in range(2)]
        yield noisy[0], noisy[1].flip(3), y


def nt_xent(z1, z2, temperature=0.2):
    z = F.normalize(torch.cat([z1, z2]), dim=1)
    logits = z @ z.T / temperature
    logits.fill_diagonal_(float("-inf"))
    n = len(z1)
    labels = torch.cat([torch.arange(n, 2 * n), torch.arange(n)])
    return F.cross_entropy(logits, labels)


def simclr(model, batch):
    a, b, y = batch
    (z1, c1), (z2, _) = model(a), model(b)
    return {"contrast": nt_xent(z1, z2), "classes": F.cross_entropy(c1, y)}


def sum_of_rows(model, batch):
    """NT-Xent written out, every row counted."""
    a, b, y = batch
    (z1, c1), (z2, _) = model(a), model(b)
    z1, z2 = F.normalize(z1, dim=-1), F.normalize(z2, dim=-1)
    similarity = torch.exp(z1 @ z2.t() / 0.1)
    contrast = -torch.log(similarity.diag() / similarity.sum(dim=1)).sum()
    return {"contrast": contrast, "classes": F.cross_entropy(c1, y)}


def probabilities_again(model, batch):
    a, b, y = batch
    (z1, c1), (z2, _) = model(a), model(b)
    z1, z2 = F.normalize(z1, dim=1), F.normalize(z2, dim=1)
    probs = torch.softmax(z1 @ z2.T / 0.1, dim=1)
    return {"nce": F.cross_entropy(probs, torch.arange(len(a))), "classes": F.cross_entropy(c1, y)}


def supcon(z, y, temperature=0.2):
    z = F.normalize(z, dim=1)
    logits = z @ z.T / temperature
    others = ~torch.eye(len(z), dtype=torch.bool)
    log_prob = logits - torch.logsumexp(logits.masked_fill(~others, -1e9), 1, keepdim=True)
    positives = (y[:, None] == y[None]) & others
    return -((log_prob * positives).sum(1) / positives.sum(1)).mean()


def supcon_step(model, batch):
    a, b, y = batch
    z, c = model(a)
    return {"supcon": supcon(z, y), "ce": F.cross_entropy(c, y)}


def supcon_both_views(model, batch):
    """Two views of everything, so that nothing is without a positive."""
    a, b, y = batch
    z, c = model(torch.cat([a, b]))
    yy = torch.cat([y, y])
    return {"supcon": supcon(z, yy), "ce": F.cross_entropy(c, yy)}


def detached_bank(model, batch):
    """The projections are put into the memory bank before they are compared."""
    a, b, y = batch
    z1, c1 = model(a)
    z2, _ = model(b)
    bank = F.normalize(torch.cat([z1, z2]).detach(), dim=1)
    q, k = bank[: len(a)], bank[len(a) :]
    return {"nce": F.cross_entropy(q @ k.T / 0.1, torch.arange(len(q))), "ce": F.cross_entropy(c1, y)}


def unnormalised(model, batch):
    a, b, y = batch
    (z1, c1), (z2, _) = model(a), model(b)
    logits = z1 @ z2.T / 0.02
    return {"nce": F.cross_entropy(logits, torch.arange(len(a))), "ce": F.cross_entropy(c1, y)}


def barlow(model, batch):
    """Barlow Twins beside classification: the diagonal towards 1, the rest towards 0."""
    a, b, y = batch
    (z1, c1), (z2, _) = model(a), model(b)
    z1, z2 = (z1 - z1.mean(0)) / (z1.std(0) + 1e-4), (z2 - z2.mean(0)) / (z2.std(0) + 1e-4)
    c = z1.T @ z2 / len(a)
    off = c - torch.diag_embed(torch.diagonal(c))
    return {
        "invariance": (torch.diagonal(c) - 1).pow(2).mean(),
        "redundancy": off.pow(2).sum() / c.shape[0],
        "ce": F.cross_entropy(c1, y),
    }
