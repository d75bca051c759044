"""Metric learning with a triplet margin and a centre term, all written by hand with closures."""

import torch
import torch.nn.functional as F
from torch import nn


def embedder():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(12, 32), nn.ReLU(), nn.Linear(32, 8))


def batches():
    centres = torch.randn(3, 12, generator=torch.Generator().manual_seed(9))
    for seed in range(4):
        generator = torch.Generator().manual_seed(seed)
        labels = torch.arange(24) % 3
        yield centres[labels] + 0.5 * torch.randn(24, 12, generator=generator), labels


def make_triplet_loss(margin):
    def triplet(embeddings, labels):
        distances = ((embeddings[:, None] - embeddings[None]) ** 2).sum(-1).clamp(min=1e-12).sqrt()
        same = labels[:, None] == labels[None]
        hardest_positive = (distances * same).max(1).values
        hardest_negative = distances.masked_fill(same, float("inf")).min(1).values
        return F.relu(hardest_positive - hardest_negative + margin).mean()

    return triplet


def make_centre_loss():
    def centre(embeddings, labels):
        means = torch.stack([embeddings[labels == label].mean(0) for label in labels.unique()])
        return (embeddings - means[labels]).pow(2).sum(1).mean()

    return centre


triplet, centre = make_triplet_loss(0.5), make_centre_loss()


def terms(embeddings, batch):
    return {"triplet": triplet(embeddings, batch[1]), "centre": centre(embeddings, batch[1])}
