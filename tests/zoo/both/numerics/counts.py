"""Counts of events with a Poisson likelihood, a gated recurrent encoder and a bottleneck: the same edges elsewhere."""

import torch
import torch.nn.functional as F
from torch import nn


class Counter(nn.Module):
    def __init__(self, inputs=6, hidden=24, outputs=3, dropout=0.0):
        super().__init__()
        self.rnn = nn.GRU(inputs, hidden, batch_first=True)
        self.drop = nn.Dropout(dropout)
        self.rate, self.mix = nn.Linear(hidden, outputs), nn.Linear(hidden, 4)

    def forward(self, x):
        _, h = self.rnn(x)
        h = self.drop(h[0])
        return self.rate(h), self.mix(h)


class Events(torch.utils.data.Dataset):
    def __init__(self, n=48, steps=8, inputs=6, outputs=3, scale=1.0, quiet=False, seed=0):
        g = torch.Generator().manual_seed(seed)
        self.x = torch.randn(n, steps, inputs, generator=g)
        rate = (0.7 + self.x.mean(1)[:, :outputs]).exp() * scale
        self.y = torch.poisson(rate, generator=g)
        if quiet:
            self.y[:] = 9  # the code for "not recorded"
        self.k = torch.randint(0, 4, (n,), generator=g)

    def __len__(self):
        return len(self.x)

    def __getitem__(self, i):
        return self.x[i], (self.y[i], self.k[i])


def poisson(output, batch):
    log_rate, mix = output
    y, k = batch[1]
    return {"poisson": F.poisson_nll_loss(log_rate, y), "mixture": F.cross_entropy(mix, k)}


def poisson_of_rate(output, batch):
    """Deviance with y log y, and counts of zero."""
    log_rate, mix = output
    y, k = batch[1]
    rate = log_rate.exp()
    return {"deviance": 2 * (y * torch.log(y / rate) - (y - rate)).mean(), "mixture": F.cross_entropy(mix, k)}


def deviance(output, batch):
    log_rate, mix = output
    y, k = batch[1]
    return {
        "deviance": 2 * (torch.xlogy(y, y) - y * log_rate - (y - log_rate.exp())).mean(),
        "mixture": F.cross_entropy(mix, k),
    }


def relative(output, batch):
    """Relative error of counts that may be zero."""
    log_rate, mix = output
    y, k = batch[1]
    return {"relative": ((log_rate.exp() - y).abs() / y).mean(), "mixture": F.cross_entropy(mix, k)}


def rooted(output, batch):
    """Anscombe-like: the roots of rates, where sensors without an event are masked first."""
    log_rate, mix = output
    y, k = batch[1]
    seen = (y > 0).float()
    return {
        "root": (torch.sqrt(log_rate.exp() * seen) - torch.sqrt(y)).pow(2).mean(),
        "mixture": F.cross_entropy(mix, k),
    }


def half_sum(output, batch):
    log_rate, mix = output
    y, k = batch[1]
    error = (200 * (log_rate.exp() - y)).half()
    return {"sse": (error**2).mean() / 4e4, "mixture": F.cross_entropy(mix, k)}
