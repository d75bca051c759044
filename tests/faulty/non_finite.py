"""NaN and infinity, in the value or only in the gradient."""

import torch
import torch.nn.functional as F
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.hidden = nn.Linear(5, 16)
        self.out = nn.Linear(16, 3)
        nn.init.zeros_(self.out.bias)

    def forward(self, x):
        return self.out(torch.relu(self.hidden(x)))


def batches():
    for seed in range(2):
        generator = torch.Generator().manual_seed(seed)
        x = torch.randn(8, 5, generator=generator)
        x[0] = 0  # one sample is blank
        yield x, F.one_hot(torch.arange(8) % 3, 3).float()


def fit(output, target):
    return F.mse_loss(output, target)


def log_of_zero(output, batch):
    p = output.softmax(1)
    entropy = (batch[1] * torch.log(batch[1])).sum(1)  # fault: log of a one-hot vector
    cross = (batch[1] * p.log()).sum(1)
    return {"fit": fit(output, batch[1]), "kl": (entropy - cross).mean()}


class MaskedMean(nn.Module):
    def forward(self, error, mask):
        return (error * mask).sum() / mask.sum()  # fault: no element is in the mask


masked_mean = MaskedMean()


def empty_mask(model, batch):
    x, y = batch
    output = model(x)
    scores = output.masked_fill(torch.eye(8, 3).bool(), float("-inf")).softmax(1)  # -inf is fine here
    error = (scores - y).abs()
    return {"fit": fit(output, y), "masked": masked_mean(error, (y > 1).float())}


def distance(a, b):
    return torch.sqrt(((a - b) ** 2).sum(dim=1))  # fault: the root of zero


def root_of_zero(model, batch):
    x, y = batch
    output = model(x)
    return {"fit": fit(output, y), "smoothness": distance(output, model(x * 1.0)).mean()}


def angle_of_one(output, batch):
    rotation = torch.tanh(1000 * output.abs().sum(1) + 1000)
    return {
        "fit": fit(output, batch[1]),
        "geodesic": torch.acos(rotation).mean(),  # fault: the cosine is one
    }


def root_behind_where(output, batch):
    value = output[:, 0]
    root = torch.where(value > 0, torch.sqrt(value), torch.zeros_like(value))  # fault: sqrt of negative numbers
    return {"fit": fit(output, batch[1]), "root": root.mean()}
