"""An image restorer with several terms, where the total is built by a class of the project."""

import torch
import torch.nn.functional as F
from torch import nn


class Restorer(nn.Module):
    def __init__(self, width=12):
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv2d(1, width, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(width, width, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(width, 1, 3, padding=1),
        )

    def forward(self, x):
        return x + self.net(x)


class Smooth(torch.utils.data.Dataset):
    def __init__(self, n=24, size=16, sigma=0.1, seed=0):
        g = torch.Generator().manual_seed(seed)
        self.clean = F.interpolate(
            torch.rand(n, 1, 4, 4, generator=g), size=(size, size), mode="bilinear", align_corners=False
        )
        self.noisy = self.clean + sigma * torch.randn(self.clean.shape, generator=g)

    def __len__(self):
        return len(self.clean)

    def __getitem__(self, i):
        return self.noisy[i], self.clean[i]


def gradients(x):
    return x.diff(dim=-1), x.diff(dim=-2)


def edges(p, t):
    return sum(F.l1_loss(a, b) for a, b in zip(gradients(p), gradients(t)))


def charbonnier(p, t):
    return torch.sqrt((p - t) ** 2 + 1e-6).mean()


def tv(p):
    return sum(d.abs().mean() for d in gradients(p))


def parts(output, batch):
    return {"pixel": charbonnier(output, batch[1]), "edge": edges(output, batch[1]), "tv": tv(output)}


class Total:
    """What the trainer calls; lambdas from the options."""

    def __init__(self, **lambdas):
        self.lambdas = lambdas

    def __call__(self, model, batch):
        losses = parts(model(batch[0]), batch)
        return sum(self.lambdas[name] * loss for name, loss in losses.items())


total = Total(pixel=1.0, edge=0.5, tv=0.05)
no_tv = Total(pixel=1.0, edge=0.5, tv=0.0)
squared = Total(pixel=1.0, edge=0.5**2, tv=0.05**2)
twice = Total(pixel=2.0, edge=0.5, tv=0.05)


def ignores_weights(model, batch, weights):
    losses = parts(model(batch[0]), batch)
    return losses["pixel"] + 0.5 * losses["edge"] + 0.05 * losses["tv"]


def asks_for_edges(model, batch, weights):
    losses = parts(model(batch[0]), batch)
    scaled = {
        name: weights.get(name + "s", 0.5) * loss if name == "edge" else weights[name] * loss
        for name, loss in losses.items()
    }
    return sum(scaled.values())


def total_with_weights(model, batch, weights):
    losses = parts(model(batch[0]), batch)
    return sum(losses[name] * weights[name] for name in losses)


def total_of_weighted_parts(model, batch, weights):
    losses = {k: weights[k] * v for k, v in parts(model(batch[0]), batch).items()}
    return losses["pixel"] + losses["edge"] * weights["edge"] + losses["tv"]


def per_image_sum(output, batch):
    """Summed over the pixels, averaged over the batch."""
    return {"pixel": (output - batch[1]).abs().sum((1, 2, 3)).mean(), "edge": edges(output, batch[1])}


def sum_everywhere(output, batch):
    return {
        "pixel": (output - batch[1]).pow(2).sum(),
        "edge": sum((a - b).abs().sum() for a, b in zip(gradients(output), gradients(batch[1]))),
    }


def alias(output, batch):
    return {
        "l2": F.mse_loss(output, batch[1]),
        "edge": edges(output, batch[1]),
        "reconstruction": torch.mean((batch[1] - output) ** 2),
    }


def weight_times_zero(output, batch):
    """The second head's parameters have to be used, or DistributedDataParallel complains."""
    return {"pixel": charbonnier(output, batch[1]) + output.sum() * 0.0, "edge": edges(output, batch[1])}


def both_means(output, batch):
    return {"l1": F.l1_loss(output, batch[1]), "mse": F.mse_loss(output, batch[1])}
