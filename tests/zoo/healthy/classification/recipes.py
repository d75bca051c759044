"""Classifiers with the usual recipes: smoothing, class weights, mixup, focal, OHEM, teachers, uncertainties, margins."""

import copy

import torch
import torch.nn as nn
import torch.nn.functional as F


class ResNet(nn.Module):
    def __init__(self, classes=10, width=16, auxiliary=False, dropout=0.0):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU())
        self.block = nn.Sequential(
            nn.Conv2d(width, width, 3, padding=1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.Conv2d(width, width, 3, padding=1, bias=False),
            nn.BatchNorm2d(width),
        )
        nn.init.zeros_(self.block[-1].weight)  # as in Goyal et al. 2017
        self.dropout = nn.Dropout(dropout)
        self.fc = nn.Linear(width, classes)
        self.aux = nn.Linear(width, classes) if auxiliary else None

    def embed(self, x):
        x = self.stem(x)
        return F.relu(x + self.block(x)).mean((2, 3))

    def forward(self, x):
        early = self.stem(x)
        logits = self.fc(self.dropout(F.relu(early + self.block(early)).mean((2, 3))))
        return logits if self.aux is None else (logits, self.aux(early.mean((2, 3))))


class MeanTeacher(nn.Module):
    def __init__(self, classes=10, width=16):
        super().__init__()
        self.student = ResNet(classes, width, dropout=0.2)
        self.teacher = copy.deepcopy(self.student)
        for p in self.teacher.parameters():
            p.requires_grad = False


class Images(torch.utils.data.Dataset):
    def __init__(self, n=64, classes=10, size=16, seed=0, skew=0.0):
        g = torch.Generator().manual_seed(seed)
        p = torch.exp(-skew * torch.arange(classes, dtype=torch.float))
        self.y = torch.multinomial(p, n, replacement=True, generator=g)
        prototypes = torch.randn(classes, 3, 4, 4, generator=g)
        noise = 0.7 * torch.randn(n, 3, 4, 4, generator=g)
        self.x = F.interpolate(prototypes[self.y] + noise, size=size, mode="bilinear")

    def __len__(self):
        return len(self.y)

    def __getitem__(self, i):
        return self.x[i], self.y[i]


def smoothed_and_weighted(output, batch):
    logits, aux = output
    weight = torch.linspace(0.5, 2.0, logits.shape[1])
    ce = nn.CrossEntropyLoss(weight=weight, label_smoothing=0.1)
    return {"main": ce(logits, batch[1]), "aux": ce(aux, batch[1])}


def mixup(model, batch):
    """Soft targets: a convex combination of one-hot vectors."""
    x, y = batch
    lam = torch.distributions.Beta(0.4, 0.4).sample()
    index = torch.randperm(len(x))
    logits = model(lam * x + (1 - lam) * x[index])
    onehot = F.one_hot(y, logits.shape[1]).float()
    soft = lam * onehot + (1 - lam) * onehot[index]
    return {"soft_ce": F.cross_entropy(logits, soft), "confidence": logits.logsumexp(1).pow(2).mean()}


def mixup_in_two_terms(model, batch):
    x, y = batch
    index = torch.arange(len(x) - 1, -1, -1)
    logits = model(0.7 * x + 0.3 * x[index])
    return {"a": F.cross_entropy(logits, y), "b": F.cross_entropy(logits, y[index])}


def focal(output, batch):
    """Multi-class focal, divided by the sum of its own weights."""
    y = batch[1]
    ce = F.cross_entropy(output, y, reduction="none")
    weight = (1 - torch.exp(-ce)).pow(2)
    return {"focal": (weight * ce).sum() / weight.detach().sum(), "ce": ce.mean()}


def ohem(model, batch, keep=0.5):
    """Only the hardest half counts."""
    x, y = batch
    logits = model(x)
    losses = F.cross_entropy(logits, y, reduction="none")
    hard = losses.topk(max(1, int(keep * len(losses)))).values
    return {"ohem": hard.mean(), "all": losses.mean()}


def mean_teacher(model, batch):
    """Both see noise of their own; the teacher stays in train mode, which is meant."""
    x, y = batch
    noisy = lambda: x + 0.1 * torch.randn_like(x)  # noqa: E731
    logits = model.student(noisy())
    with torch.no_grad():
        teacher = model.teacher(noisy())
    return {"ce": F.cross_entropy(logits, y), "consistency": F.mse_loss(logits.softmax(1), teacher.softmax(1))}


def distilled(model, batch, T=4.0):
    x, y = batch
    student = model.student(x)
    with torch.no_grad():
        teacher = model.teacher(x)
    kd = F.kl_div(F.log_softmax(student / T, 1), F.softmax(teacher / T, 1), reduction="batchmean") * T * T
    return {"ce": F.cross_entropy(student, y), "kd": kd}


def log_softmax_twice(output, batch):
    """Idempotent: the network ends in log_softmax, cross_entropy takes it once more."""
    log_p = F.log_softmax(output, 1)
    return {"ce": F.cross_entropy(log_p, batch[1]), "entropy": (log_p.exp() * log_p).sum(1).mean()}


class CenterLoss(nn.Module):
    """ResNet with centres that are learned along."""

    def __init__(self, classes=10, width=16, uncertain=False):
        super().__init__()
        self.net = ResNet(classes, width)
        self.centers = nn.Parameter(torch.randn(classes, width) * 0.1)
        self.log_variance = nn.Parameter(torch.zeros(2)) if uncertain else None

    def forward(self, x):
        return self.net.embed(x)


def center_loss(model, batch):
    x, y = batch
    h = model(x)
    return {"ce": F.cross_entropy(model.net.fc(h), y), "center": 0.5 * (h - model.centers[y]).pow(2).sum(1).mean()}


def uncertainty(model, batch):
    """Kendall et al. 2018: exp(−s) L + s, which may be negative."""
    x, y = batch
    h = model(x)
    s = model.log_variance
    return {
        "class": torch.exp(-s[0]) * F.cross_entropy(model.net.fc(h), y) + s[0],
        "pull": torch.exp(-s[1]) * 0.5 * (h - model.centers[y]).pow(2).mean() + s[1],
    }


def entropy_minimisation(model, batch):
    """Semi-supervised: a known class for one half, low entropy for the other, all classes used."""
    x, y = batch
    logits = model(x)
    half = len(y) // 2
    p = logits[half:].softmax(1)
    marginal = p.mean(0)
    return {
        "ce": F.cross_entropy(logits[:half], y[:half]),
        "entropy": -(p * p.clamp_min(1e-8).log()).sum(1).mean(),
        "balance": (marginal * marginal.clamp_min(1e-8).log()).sum(),
    }
