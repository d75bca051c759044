"""Diffusion, flow matching and consistency: losses that draw noise and time steps anew in every call."""

import copy

import torch
import torch.nn.functional as F
from torch import nn


class UNet(nn.Module):
    """Conditioned on time and class; the last layer starts at zero."""

    def __init__(self, width=32, channels=1, classes=4, zero=True):
        super().__init__()
        self.width, self.classes = width, classes
        self.time = nn.Sequential(nn.Linear(width, width), nn.SiLU(), nn.Linear(width, width))
        self.label = nn.Embedding(classes + 1, width)
        self.inp = nn.Conv2d(channels, width, 3, padding=1)
        self.down = nn.Sequential(nn.GroupNorm(8, width), nn.SiLU(), nn.Conv2d(width, width, 3, 2, 1))
        self.up = nn.Sequential(nn.GroupNorm(8, width), nn.SiLU(), nn.ConvTranspose2d(width, width, 4, 2, 1))
        self.out = nn.Sequential(nn.GroupNorm(8, width), nn.SiLU(), nn.Conv2d(width, channels, 3, padding=1))
        if zero:
            nn.init.zeros_(self.out[-1].weight)
            nn.init.zeros_(self.out[-1].bias)

    def forward(self, x, t, y):
        freqs = torch.exp(-torch.arange(self.width // 2) * 0.5)
        angles = t[:, None] * freqs
        emb = self.time(torch.cat([angles.sin(), angles.cos()], 1)) + self.label(y)
        h = self.inp(x) + emb[:, :, None, None]
        return self.out(h + self.up(self.down(h)))


class WithTeacher(nn.Module):
    """A student and its moving average, which no gradient reaches."""

    def __init__(self, width=16):
        super().__init__()
        self.student = UNet(width, zero=False)
        self.teacher = copy.deepcopy(self.student).requires_grad_(False)


class Shapes(torch.utils.data.Dataset):
    def __init__(self, n=64, size=16, channels=1, seed=0):
        g = torch.Generator().manual_seed(seed)
        self.x = (
            (F.interpolate(torch.rand(n, channels, 4, 4, generator=g), size=size, mode="bilinear") - 0.5) * 8
        ).tanh()
        self.y = torch.randint(0, 4, (n,), generator=g)

    def __len__(self):
        return len(self.y)

    def __getitem__(self, i):
        return self.x[i], self.y[i]


alpha_bar = torch.cumprod(1 - torch.linspace(1e-4, 0.06, 100), 0)


def drop_labels(y, p=0.1, null=4):
    """For classifier-free guidance."""
    return torch.where(torch.rand(y.shape) < p, null, y)


def ddpm_min_snr(model, batch):
    x0, y = batch
    t = torch.randint(0, len(alpha_bar), (len(x0),))
    noise = torch.randn_like(x0)
    a = alpha_bar[t].view(-1, 1, 1, 1)
    eps = model(a.sqrt() * x0 + (1 - a).sqrt() * noise, t.float(), drop_labels(y))
    snr = alpha_bar[t] / (1 - alpha_bar[t])
    weight = snr.clamp(max=5) / snr
    return {"eps": (weight * F.mse_loss(eps, noise, reduction="none").mean((1, 2, 3))).mean()}


def v_prediction(model, batch):
    x0, y = batch
    t = torch.randint(0, len(alpha_bar), (x0.shape[0],))
    noise = torch.randn_like(x0)
    a = alpha_bar[t][:, None, None, None]
    v = a.sqrt() * noise - (1 - a).sqrt() * x0
    v_hat = model(a.sqrt() * x0 + (1 - a).sqrt() * noise, t.float(), y)
    low = lambda z: F.avg_pool2d(z, 4)  # noqa: E731
    return {"v": F.mse_loss(v_hat, v), "low_frequencies": F.mse_loss(low(v_hat), low(v))}


def flow_matching(model, batch):
    """Rectified flow with logit-normal times."""
    x1, y = batch
    x0, t = torch.randn_like(x1), torch.sigmoid(torch.randn(len(x1)))
    tt = t.view(-1, 1, 1, 1)
    velocity = model((1 - tt) * x0 + tt * x1, 100 * t, drop_labels(y))
    direction = F.cosine_similarity(velocity.flatten(1), (x1 - x0).flatten(1))
    return {"velocity": (velocity - (x1 - x0)).pow(2).mean(), "direction": (1 - direction).mean()}


def consistency(model, batch):
    """Student at a noisier time, moving average of it at a less noisy one; pseudo-Huber."""
    x0, y = batch
    noise, sigma = torch.randn_like(x0), 0.1 + 2 * torch.rand(len(x0), 1, 1, 1)
    student = model.student(x0 + sigma * noise, sigma.flatten(), y)
    with torch.no_grad():
        teacher = model.teacher(x0 + 0.8 * sigma * noise, 0.8 * sigma.flatten(), y)
    c = 0.03
    huber = ((student - teacher).pow(2).sum((1, 2, 3)) + c**2).sqrt() - c
    return {"consistency": huber.mean(), "anchor": F.mse_loss(student, x0)}
