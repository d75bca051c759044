"""Outputs behind an activation: saturated by mistake, or because the model is sure and right."""

import torch
import torch.nn.functional as F
from torch import nn


class Scaled(nn.Module):
    """A convolutional head with a factor in front of its activation."""

    def __init__(self, activation="sigmoid", factor=1.0, out=3, span=None):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 16, 3, padding=1), nn.ReLU(), nn.Conv2d(16, out, 3, padding=1))
        self.activation, self.factor, self.span = getattr(torch, activation), factor, span

    def forward(self, x):
        y = self.activation(self.factor * self.body(x))
        return y if self.span is None else (y + 1) / 2 * self.span


class Images(torch.utils.data.Dataset):
    def __init__(self, scale=1.0, key=False):
        self.scale, self.key = scale, key

    def __len__(self):
        return 12

    def __getitem__(self, index):
        image = torch.rand(3, 12, 12, generator=torch.Generator().manual_seed(index))
        target = image.flip(0)
        return {"image": self.scale * image, "clean": target} if self.key else (self.scale * image, target)


def pixels(output, batch):
    return {"l2": (output - batch[1]).square().mean()}


def pixels_of_mapping(model, batch):
    return {"l1": F.l1_loss(model(batch["image"]), batch["clean"])}


class Classifier(nn.Module):
    """Class probabilities of four clusters; `fitted` has their centres as its weights."""

    def __init__(self, temperature=1.0, fitted=False):
        super().__init__()
        self.net = nn.Linear(4, 4)
        self.temperature = temperature
        if fitted:
            nn.init.eye_(self.net.weight)
            nn.init.zeros_(self.net.bias)

    def forward(self, x):
        return F.softmax(self.net(x) / self.temperature, dim=-1)


def clusters(batches=3):
    for seed in range(batches):
        generator = torch.Generator().manual_seed(seed)
        label = torch.randint(0, 4, (32,), generator=generator)
        yield F.one_hot(label, 4) + 0.05 * torch.randn(32, 4, generator=generator), label


def likelihood(output, batch):
    return {"nll": F.nll_loss(torch.log(output + 1e-8), batch[1])}


class Thresholder(nn.Module):
    """A segmenter that has learned its task: bright is foreground."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 1, 1)
        with torch.no_grad():
            self.conv.weight.fill_(200.0)
            self.conv.bias.fill_(-300.0)

    def forward(self, x):
        return torch.sigmoid(self.conv(x))


def masks():
    for seed in range(3):
        image = torch.rand(4, 3, 12, 12, generator=torch.Generator().manual_seed(seed))
        yield {"image": image, "mask": (image.sum(1) > 1.5).long()}


def dice(model, batch):
    probability, mask = model(batch["image"])[:, 0], batch["mask"].float()
    overlap = 2 * (probability * mask).sum() / (probability.sum() + mask.sum())
    return {"dice": 1 - overlap, "bce": F.binary_cross_entropy(probability, mask)}


class Prior(nn.Module):
    """A detector's head that starts at the rate of its rare class."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 1, 1)
        nn.init.constant_(self.conv.bias, -7.0)

    def forward(self, x):
        return torch.sigmoid(self.conv(x))


def rare():
    for seed in range(3):
        image = torch.rand(4, 3, 12, 12, generator=torch.Generator().manual_seed(seed))
        yield image, (image[:, :1] > 0.99).float()


def cross_entropy(output, batch):
    return {"bce": F.binary_cross_entropy(output, batch[1])}
