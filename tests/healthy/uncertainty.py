"""Multi-task learning with learned uncertainties (Kendall et al. 2018): depth and class from one trunk."""

import torch
import torch.nn.functional as F
from torch import nn


class MultiTask(nn.Module):
    def __init__(self):
        super().__init__()
        self.trunk = nn.LSTM(8, 32, batch_first=True)
        self.regression = nn.Linear(32, 1)
        self.classification = nn.Linear(32, 5)
        self.log_variance = nn.Parameter(torch.zeros(2))

    def forward(self, x):
        hidden, _ = self.trunk(x)
        last = hidden[:, -1]
        return self.regression(last).squeeze(1), self.classification(last)


def batches():
    for length in (7, 5, 9, 6):  # sequences differ in length from batch to batch
        generator = torch.Generator().manual_seed(length)
        x = torch.randn(16, length, 8, generator=generator)
        yield x, {"value": x.mean((1, 2)), "label": x[:, -1, :5].argmax(1)}


def step(model, batch):
    x, target = batch
    value, logits = model(x)
    s = model.log_variance
    return {
        "regression": torch.exp(-s[0]) * F.mse_loss(value, target["value"]) + s[0],
        "classification": torch.exp(-s[1]) * F.cross_entropy(logits, target["label"]) + s[1],
    }
