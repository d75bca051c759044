"""Numbers at their edges: a regressor of sensor series with spectra, spreads and entropies."""

import torch
import torch.nn as nn
import torch.nn.functional as F


class Regressor(nn.Module):
    def __init__(self, length=24, hidden=48, classes=6, identity=False):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(length, hidden), nn.GELU(), nn.Linear(hidden, length))
        self.cls = nn.Linear(length, classes)
        if identity:
            nn.init.zeros_(self.net[2].weight)
            nn.init.zeros_(self.net[2].bias)

    def forward(self, x):
        y = x + self.net(x)
        return y, self.cls(y)


class Vanishing(nn.Module):
    """Many sigmoid layers."""

    def __init__(self, length=24, depth=14, classes=6, width=24):
        super().__init__()
        layers = [m for i in range(depth) for m in (nn.Linear(length if i == 0 else width, width), nn.Sigmoid())]
        self.net = nn.Sequential(*layers)
        self.out, self.cls = nn.Linear(width, length), nn.Linear(width, classes)

    def forward(self, x):
        h = self.net(x)
        return self.out(h), self.cls(h)


def series(n=24, length=24, classes=6, scale=1.0, flat=0, constant_target=False, copies=False, seed=0, one=False):
    for k in range(4):
        g = torch.Generator().manual_seed(seed + k)
        y = torch.randint(0, classes, (n,), generator=g)
        t = torch.linspace(0, 6.3, length)
        x = torch.sin(t * (1 + y[:, None]) + 6 * torch.rand(n, 1, generator=g))
        if flat:
            x[:flat] = 0
        noisy = x + 0.1 * torch.randn(n, length, generator=g)
        if flat:
            noisy[:flat] = 0
        if constant_target:
            x = torch.zeros_like(x)
        if copies:
            x, noisy, y = x[:1].expand(n, -1).clone(), noisy[:1].expand(n, -1).clone(), y[:1].expand(n).clone()
        if one:
            yield noisy[:1] * scale, (x[:1] * scale, y[:1])
        else:
            yield noisy * scale, (x * scale, y)


def good(output, batch):
    y, logits = output
    target, label = batch[1]
    return {"mse": F.mse_loss(y, target), "ce": F.cross_entropy(logits, label)}


def spread(output, batch):
    """The standard deviation over the batch, of one sample."""
    y, logits = output
    target, label = batch[1]
    return {"mse": F.mse_loss(y, target), "spread": (y.std(0) - 0.5).pow(2).mean()}


def spread_of_rows(output, batch):
    y, logits = output
    target, label = batch[1]
    z = (y - y.mean(1, keepdim=True)) / y.std(1, keepdim=True)
    return {"ce": F.cross_entropy(logits, label), "shape": (z * (target - target.mean(1, keepdim=True))).mean().neg()}


def entropy(output, batch):
    """p log p of a sparse distribution."""
    y, logits = output
    target, label = batch[1]
    p = F.relu(logits)
    p = p / (p.sum(1, keepdim=True) + 1e-6)
    return {"mse": F.mse_loss(y, target), "entropy": -(p * torch.log(p)).sum(1).mean()}


def safe_entropy(output, batch):
    y, logits = output
    target, label = batch[1]
    p = F.softmax(logits, 1)
    return {
        "mse": F.mse_loss(y, target),
        "entropy": torch.special.entr(p).sum(1).mean(),
        "ce": F.cross_entropy(logits, label),
    }


def root(output, batch):
    y, logits = output
    target, label = batch[1]
    return {"ce": F.cross_entropy(logits, label), "rmse": torch.sqrt(((y - target) ** 2).mean(1)).mean()}


def rmse_total(output, batch):
    """One root of the mean over everything: zero only for a perfect fit."""
    y, logits = output
    target, label = batch[1]
    return {"ce": F.cross_entropy(logits, label), "rmse": torch.sqrt(F.mse_loss(y, target) + 1e-8)}


def where_root(output, batch):
    """The root only where it is defined, as far as the value goes."""
    y, logits = output
    target, label = batch[1]
    root_y = torch.where(y > 0, torch.sqrt(y), torch.zeros_like(y))
    root_t = torch.where(target > 0, torch.sqrt(target), torch.zeros_like(target))
    return {"ce": F.cross_entropy(logits, label), "amplitude": F.l1_loss(root_y, root_t)}


def double_where(output, batch):
    y, logits = output
    target, label = batch[1]
    ok = (y > 1e-3) & (target > 1e-3)
    log_y, log_t = (torch.log(torch.where(ok, v, torch.ones_like(v))) for v in (y, target))
    return {"ce": F.cross_entropy(logits, label), "log": F.l1_loss(log_y, log_t), "mse": F.mse_loss(y, target)}


def energy(output, batch):
    """A sum of squares that half precision cannot hold."""
    y, logits = output
    target, label = batch[1]
    return {
        "ce": F.cross_entropy(logits, label),
        "energy": ((y * 300).half().pow(2).sum(1) / 90000 - (target**2).sum(1)).abs().mean(),
    }


def epsilon(output, batch):
    """An epsilon that is zero in half precision."""
    y, logits = output
    target, label = batch[1]
    power = (F.relu(y - 0.5) * F.relu(-y)).half()
    return {"ce": F.cross_entropy(logits, label), "log": (torch.log(power + 1e-8) - 1.0).abs().mean()}


def exponent(output, batch):
    y, logits = output
    target, label = batch[1]
    return {"mse": F.mse_loss(y, target), "poisson": (torch.exp(50 * logits) - 10 * logits).mean()}


def correlation(output, batch):
    """Pearson's r of rows, some of which are flat."""
    y, logits = output
    target, label = batch[1]
    a, b = y - y.mean(1, keepdim=True), target - target.mean(1, keepdim=True)
    r = (a * b).sum(1) / (a.norm(dim=1) * b.norm(dim=1))
    return {"ce": F.cross_entropy(logits, label), "pearson": 1 - r.mean()}


def correlation_safe(output, batch):
    y, logits = output
    target, label = batch[1]
    r = F.cosine_similarity(y - y.mean(1, keepdim=True), target - target.mean(1, keepdim=True), dim=1)
    return {"ce": F.cross_entropy(logits, label), "pearson": 1 - r.mean(), "mse": F.mse_loss(y, target)}


def masked(output, batch):
    """The mean over what a mask leaves, which may be nothing."""
    y, logits = output
    target, label = batch[1]
    loud = target.abs() > 1.5
    return {"ce": F.cross_entropy(logits, label), "loud": (y - target)[loud].pow(2).mean()}


def masked_guarded(output, batch):
    y, logits = output
    target, label = batch[1]
    loud = (target.abs() > 0.9).float()
    return {"ce": F.cross_entropy(logits, label), "loud": ((y - target).pow(2) * loud).sum() / loud.sum().clamp(min=1)}
