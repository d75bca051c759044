"""Tomorrow's weather from today's on a grid of latitudes and longitudes, and wind speeds as distributions."""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.distributions import Independent, Normal

UNITS = torch.tensor([8.0, 6.0, 3300.0, 0.002]).view(4, 1, 1)  # wind u and v in m/s, geopotential, humidity
MEANS = torch.tensor([3.0, 0.0, 54000.0, 0.004]).view(4, 1, 1)


class Day(NamedTuple):
    state: Tensor
    tomorrow: Tensor


class Stepper(nn.Module):
    def __init__(self, width=16):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(4, width, 3, padding=1, padding_mode="circular"), nn.SiLU(), nn.Conv2d(width, 4, 3, padding=1)
        )

    def forward(self, x):
        return self.body(x)


def days(n=4, size=20, seed=0, raw=False, batches=3):
    generator = torch.Generator().manual_seed(seed)
    for _ in range(batches):
        today = 4 * F.avg_pool2d(torch.randn(n, 4, size, size, generator=generator), 5, 1, 2)
        tomorrow = today.roll(1, -1)
        yield Day(today, tomorrow * UNITS + MEANS if raw else tomorrow)


def by_latitude(output, batch):
    """Weighted by the area of a cell, as is usual."""
    latitude = torch.linspace(-1.4, 1.4, output.shape[-2]).cos().view(1, 1, -1, 1)
    return {
        "state": (latitude / latitude.mean() * (output - batch.tomorrow) ** 2).mean(),
        "smooth": output.diff(dim=-1).square().mean(),
    }


class WindSpeed(nn.Module):
    """Returns a distribution per hour."""

    def __init__(self, hours=12, hidden=24, joint=False):
        super().__init__()
        self.rnn = nn.GRU(3, hidden, batch_first=True)
        self.head = nn.Linear(hidden, 2 * hours)
        self.joint = joint

    def forward(self, past):
        _, h = self.rnn(past)
        mean, spread = self.head(h[-1]).chunk(2, -1)
        hourly = Normal(mean, F.softplus(spread) + 0.01)
        return Independent(hourly, 1) if self.joint else hourly


def gusts(n=16, hours=12, seed=0, stuck=None, batches=3):
    """What three stations measured and what the first measures next; `stuck`: its sensor shows one number."""
    generator = torch.Generator().manual_seed(seed)
    for _ in range(batches):
        time = torch.arange(24 + hours) / 6
        wave = torch.sin(time[None, :, None] + 6 * torch.rand(n, 1, 3, generator=generator))
        wave = wave + 0.1 * torch.randn(wave.shape, generator=generator)
        future = wave[:, 24:, 0]
        yield {"past": wave[:, :24], "future": future if stuck is None else torch.full_like(future, stuck)}


def likelihood(model, batch, sign=-1.0):
    speed = model(batch["past"])
    logs = speed.log_prob(batch["future"])
    return {
        "nll": sign * logs.mean() / (batch["future"].shape[1] if logs.dim() == 1 else 1),
        "trend": F.mse_loss(speed.mean.diff(dim=1), batch["future"].diff(dim=1)),
    }


def unlikelihood(model, batch):
    return likelihood(model, batch, sign=1.0)


def points(model, batch):
    speed = model(batch["past"]).mean
    return {"point": F.mse_loss(speed, batch["future"]), "smooth": speed.diff(dim=1).square().mean()}
