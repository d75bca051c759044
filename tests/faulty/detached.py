"""Values without a gradient: every way out of autograd that people take by mistake."""

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.trunk = nn.Sequential(nn.Linear(8, 32), nn.ReLU())
        self.head = nn.Linear(32, 4)

    def forward(self, x):
        return self.head(self.trunk(x))


def batches():
    for seed in range(3):
        generator = torch.Generator().manual_seed(seed)
        x = torch.randn(16, 8, generator=generator)
        yield x, x[:, :4] * 2 + 1


def item(output, batch):
    l1 = F.l1_loss(output, batch[1]).item()  # fault: item
    return {"mse": F.mse_loss(output, batch[1]), "l1": l1}


class Consistency:
    def __init__(self, noise):
        self.noise = noise

    def __call__(self, model, x, output):
        output = output.detach()  # fault: detach
        again = model(x + self.noise).detach()
        return F.mse_loss(again, output)


consistency = Consistency(0.1)


def detach(model, batch):
    x, y = batch
    output = model(x)
    return {"fit": F.mse_loss(output, y), "consistency": consistency(model, x, output)}


def data(output, batch):
    prediction = output.data  # fault: data
    return {"mse": F.mse_loss(output, batch[1]), "bias": (prediction.mean(0) - batch[1].mean(0)).abs().mean()}


def histogram_distance(a, b):
    return np.abs(np.sort(a, axis=0) - np.sort(b, axis=0)).mean()


def through_numpy(output, batch):
    mse = F.mse_loss(output, batch[1])
    distance = histogram_distance(
        output.detach().cpu().numpy(),  # fault: numpy
        batch[1].numpy(),
    )
    return {"mse": mse, "histogram": torch.tensor(distance)}


def make_accuracy():
    def accuracy(logits, target):
        predicted = logits.argmax(dim=1)  # fault: argmax
        return 1 - (predicted == target.argmax(dim=1)).float().mean()

    return accuracy


accuracy = make_accuracy()


def through_argmax(model, batch):
    x, y = batch
    logits = model(x)
    return {"losses": {"cross_entropy": F.cross_entropy(logits, y.argmax(1)), "accuracy": accuracy(logits, y)}}


def perceptual(model, x, y):
    with torch.no_grad():
        return F.mse_loss(model.trunk(x), torch.ones(len(x), 32))  # fault: features under no_grad


def no_grad(model, batch):
    x, y = batch
    return {"fit": F.mse_loss(model(x), y), "perceptual": perceptual(model, x, y)}
