"""DDPM training with a weighting over time steps (Min-SNR, per-sample weights) that goes wrong."""

import torch
import torch.nn.functional as F
from torch import nn


def time_embedding(t, dim):
    freqs = torch.exp(torch.arange(0, dim, 2) * (-9.0 / dim))
    angles = t[:, None].float() * freqs[None]
    return torch.cat([angles.sin(), angles.cos()], dim=1)


class Denoiser(nn.Module):
    def __init__(self, width=32, channels=1, steps=100, zero_snr=False):
        super().__init__()
        self.inp = nn.Conv2d(channels, width, 3, padding=1)
        self.time = nn.Sequential(nn.Linear(width, width), nn.SiLU(), nn.Linear(width, width))
        self.mid = nn.Sequential(nn.GroupNorm(8, width), nn.SiLU(), nn.Conv2d(width, width, 3, padding=1))
        self.out = nn.Sequential(nn.GroupNorm(8, width), nn.SiLU(), nn.Conv2d(width, channels, 3, padding=1))
        self.width = width
        betas = torch.linspace(1e-4, 0.06, steps)
        alpha_bar = torch.cumprod(1 - betas, 0)
        if zero_snr:  # rescale_zero_terminal_snr
            root = alpha_bar.sqrt()
            root = (root - root[-1]) * root[0] / (root[0] - root[-1])
            alpha_bar = root**2
        self.register_buffer("alpha_bar", alpha_bar)

    def forward(self, x, t):
        h = self.inp(x) + self.time(time_embedding(t, self.width))[:, :, None, None]
        return self.out(h + self.mid(h))

    def diffuse(self, x0, t, noise):
        a = self.alpha_bar[t][:, None, None, None]
        return a.sqrt() * x0 + (1 - a).sqrt() * noise


class Shapes(torch.utils.data.Dataset):
    def __init__(self, n=64, size=16, channels=1, seed=0):
        g = torch.Generator().manual_seed(seed)
        x = F.interpolate(torch.rand(n, channels, 4, 4, generator=g), size=size, mode="bilinear")
        self.x = ((x - 0.5) * 8).tanh()

    def __len__(self):
        return len(self.x)

    def __getitem__(self, i):
        return self.x[i], i % 4


def snr(model, t):
    a = model.alpha_bar[t]
    return a / (1 - a)


def sample(model, x0):
    """Stratified time steps, the last one included."""
    steps = len(model.alpha_bar)
    t = torch.linspace(0, steps - 1, len(x0)).round().long()
    noise = torch.randn_like(x0)
    return t, noise, model.diffuse(x0, t, noise)


def min_snr(model, batch):
    """min(SNR, 5) / SNR, at a zero terminal SNR."""
    x0, _ = batch
    t, noise, xt = sample(model, x0)
    pred = model(xt, t)
    s = snr(model, t)
    weight = s.clamp(max=5.0) / s
    per_sample = F.mse_loss(pred, noise, reduction="none").mean((1, 2, 3))
    return {"simple": (weight * per_sample).mean(), "scale": (pred.std((1, 2, 3)) - 1).pow(2).mean()}


def x0_weighted(model, batch):
    """Weights by 1/SNR so that all x0 errors count alike."""
    x0, _ = batch
    t, noise, xt = sample(model, x0)
    a = model.alpha_bar[t].view(-1, 1, 1, 1)
    eps = model(xt, t)
    x0_hat = (xt - (1 - a).sqrt() * eps) / a.sqrt()
    return {"eps": (eps - noise).pow(2).mean(), "x0": (x0_hat - x0).abs().mean()}


def weights_by_step(model, batch):
    """Per-sample weights [B, 1] times per-sample losses [B]."""
    x0, _ = batch
    t, noise, xt = sample(model, x0)
    pred = model(xt, t)
    weight = (1 + snr(model, t)).rsqrt().unsqueeze(-1)
    loss = (pred - noise).square().flatten(1).mean(1)
    return {"weighted": (weight * loss).mean(), "mean": pred.mean((1, 2, 3)).pow(2).mean()}


class ScoreNet(nn.Module):
    """A score model for points; its output has a trailing dimension too many for the target."""

    def __init__(self, width=48):
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(2, width), nn.SiLU(), nn.Linear(width, width), nn.SiLU(), nn.Linear(width, 1)
        )

    def forward(self, x):
        return self.net(x)


class Energies(torch.utils.data.Dataset):
    def __init__(self, n=128, seed=0):
        g = torch.Generator().manual_seed(seed)
        self.x = torch.randn(n, 2, generator=g)
        self.e = self.x.pow(2).sum(1) * 0.5 + self.x[:, 0].sin()

    def __len__(self):
        return len(self.x)

    def __getitem__(self, i):
        return self.x[i], self.e[i]


def energy_terms(output, batch):
    return {"energy": F.mse_loss(output, batch[1]), "spread": (output.std() - 1).abs()}
