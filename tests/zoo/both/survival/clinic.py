"""Time until an event, from patients' records: risk scores, rates, hazards, and what goes wrong with them."""

import torch
import torch.nn.functional as F
from torch import nn


class RiskNet(nn.Module):
    """A risk score, a shape or a hazard per interval, and a measurement that is predicted beside it."""

    def __init__(self, features=8, hidden=32, intervals=10):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(features, hidden), nn.SELU())
        self.risk, self.hazard, self.lab = nn.Linear(hidden, 1), nn.Linear(hidden, intervals), nn.Linear(hidden, 1)

    def forward(self, x):
        h = self.body(x)
        return self.risk(h), self.hazard(h), self.lab(h).squeeze(-1)


def cohort(n=64, features=8, seed=0, batches=3):
    """Records, months until the event or the last visit, whether it was the event."""
    generator = torch.Generator().manual_seed(seed)
    for _ in range(batches):
        x = torch.randn(n, features, generator=generator)
        months = 3 * torch.exp(x[:, 0] + 0.3 * torch.randn(n, generator=generator))
        yield x, months, (torch.rand(n, generator=generator) > 0.4).float()


def partial_likelihood(risk, months, event, reduce=torch.mean):
    order = months.argsort(descending=True)
    risk, event = risk[order], event[order]
    return -reduce((risk - risk.logcumsumexp(0)) * event)


def interval_likelihood(hazard, months, event):
    last = months.long().clamp(max=hazard.shape[1] - 1)
    at_risk = (torch.arange(hazard.shape[1]) <= last[:, None]).float()
    died = F.one_hot(last, hazard.shape[1]) * event[:, None]
    return (F.binary_cross_entropy_with_logits(hazard, died, reduction="none") * at_risk).sum(1).mean()


def cox(output, batch):
    risk, hazard, lab = output
    x, months, event = batch
    return {
        "cox": partial_likelihood(risk.squeeze(-1), months, event),
        "intervals": interval_likelihood(hazard, months, event),
        "lab": F.mse_loss(lab, x[:, 0]),
    }


def cox_summed(output, batch):
    losses = cox(output, batch)
    return {**losses, "cox": partial_likelihood(output[0].squeeze(-1), *batch[1:], reduce=torch.sum)}


def exponential(output, batch):
    """The score is a log rate: large where the time is short."""
    risk, hazard, lab = output
    x, months, event = batch
    rate = risk.squeeze(-1)
    return {
        "rate": (rate.exp() * months - event * rate).mean(),
        "intervals": interval_likelihood(hazard, months, event),
        "lab": F.mse_loss(lab, x[:, 0]),
    }


def urgency(output, batch):
    """Who had the event first has to have the larger score."""
    risk, hazard, lab = output
    x, months, event = batch
    score = risk.squeeze(-1)
    earlier = torch.sign(months.roll(1) - months)
    return {
        "order": F.margin_ranking_loss(score, score.roll(1), earlier, margin=0.2),
        "intervals": interval_likelihood(hazard, months, event),
        "lab": F.mse_loss(lab, x[:, 0]),
    }


def log_time(output, batch, column=False):
    risk, hazard, lab = output
    x, months, event = batch
    time = risk if column else risk.squeeze(-1)
    return {
        "time": F.smooth_l1_loss(time, months.log1p()),
        "intervals": interval_likelihood(hazard, months, event),
        "lab": F.mse_loss(lab, x[:, 0]),
    }


def log_time_of_columns(output, batch):
    return log_time(output, batch, column=True)


def concordance(output, batch, sign=-1.0):
    """How well the score goes with the log of the time."""
    risk, hazard, lab = output
    x, months, event = batch
    return {
        "concordance": sign * torch.corrcoef(torch.stack([risk.squeeze(-1), months]))[0, 1],
        "intervals": interval_likelihood(hazard, months, event),
        "lab": F.mse_loss(lab, x[:, 0]),
    }


def discordance(output, batch):
    return concordance(output, batch, sign=1.0)
