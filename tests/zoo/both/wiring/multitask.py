"""A multi-task network on sensor windows: regression, classes, a reconstruction and weight decay in the loss."""

import torch
import torch.nn as nn
import torch.nn.functional as F


class MultiTask(nn.Module):
    def __init__(self, inputs=16, hidden=32, classes=5, sigmas=False):
        super().__init__()
        self.trunk = nn.Sequential(nn.Linear(inputs, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU())
        self.value, self.classes, self.back = (
            nn.Linear(hidden, 1),
            nn.Linear(hidden, classes),
            nn.Linear(hidden, inputs),
        )
        if sigmas:
            self.log_vars = nn.Parameter(torch.zeros(3))

    def forward(self, x):
        h = self.trunk(x)
        return self.value(h).squeeze(1), self.classes(h), self.back(h)


def windows(n=32, inputs=16, classes=5, seed=0):
    for k in range(4):
        g = torch.Generator().manual_seed(seed + k)
        y = torch.randint(0, classes, (n,), generator=g)
        t = torch.linspace(0, 6, inputs)
        x = torch.sin(t * (1 + y[:, None] / 2)) + 0.3 * torch.randn(n, inputs, generator=g)
        yield x, (x.mean(1) + y / classes, y)


def terms(output, batch):
    value, classes, back = output
    x, (target, y) = batch
    return {"value": F.mse_loss(value, target), "classes": F.cross_entropy(classes, y), "back": F.mse_loss(back, x)}


WEIGHTS = {"value": 2.0, "classes": 0.5, "back": 0.25}


def total(model, batch):
    parts = terms(model(batch[0]), batch)
    return sum(WEIGHTS[name] * part for name, part in parts.items())


def total_of_weights(model, batch, weights):
    parts = terms(model(batch[0]), batch)
    return torch.stack([weights[name] * part for name, part in parts.items()]).sum()


def total_times_batch(model, batch, weights):
    """YOLOv5 multiplies by the batch size."""
    return total_of_weights(model, batch, weights) * len(batch[0])


class WeightedLoss(nn.Module):
    """Applies its weight itself."""

    def __init__(self, loss, weight):
        super().__init__()
        self.loss, self.weight = loss, weight

    def forward(self, p, t):
        return self.weight * self.loss(p, t)


weighted_value = WeightedLoss(nn.MSELoss(), 2.0)
weighted_back = WeightedLoss(nn.MSELoss(), 0.25)


def total_twice_weighted(model, batch):
    """The modules weigh their losses, and so does the sum."""
    value, classes, back = model(batch[0])
    x, (target, y) = batch
    losses = {
        "value": weighted_value(value, target),
        "classes": F.cross_entropy(classes, y),
        "back": weighted_back(back, x),
    }
    return (
        losses["value"] * WEIGHTS["value"] + losses["classes"] * WEIGHTS["classes"] + losses["back"] * WEIGHTS["back"]
    )


def total_squared_weights(model, batch, weights):
    parts = {name: weights[name] * part for name, part in terms(model(batch[0]), batch).items()}
    loss = parts["value"] + weights["classes"] * parts["classes"]
    return loss + parts["back"]


def total_adds_twice(model, batch):
    """The auxiliary term is added to the main one and again at the end."""
    parts = terms(model(batch[0]), batch)
    main = 2.0 * parts["value"]
    main = main + 0.25 * parts["back"]
    return main + 0.5 * parts["classes"] + 0.25 * parts["back"]


def total_overwritten(model, batch):
    """= where += was meant."""
    parts = terms(model(batch[0]), batch)
    loss = 2.0 * parts["value"]
    loss = loss + 0.5 * parts["classes"]
    return 0.5 * parts["classes"] + 0.25 * parts["back"]


def total_misread_key(model, batch, weights):
    """The config says "classes", the code asks for "class" and takes the default."""
    parts = terms(model(batch[0]), batch)
    return (
        weights["value"] * parts["value"]
        + weights.get("class", 0.5) * parts["classes"]
        + weights["back"] * parts["back"]
    )


def total_fixed(model, batch, weights):
    parts = terms(model(batch[0]), batch)
    return 2.0 * parts["value"] + weights["classes"] * parts["classes"] + 0.25 * parts["back"]


def total_unweighted(model, batch):
    parts = terms(model(batch[0]), batch)
    return parts["value"] + parts["classes"] + parts["back"]


def summed_value(output, batch):
    value, classes, back = output
    x, (target, y) = batch
    return {
        "value": F.mse_loss(value, target, reduction="sum"),
        "classes": F.cross_entropy(classes, y),
        "back": F.mse_loss(back, x),
    }


def by_hand_sum(output, batch):
    value, classes, back = output
    x, (target, y) = batch
    return {"value": F.mse_loss(value, target), "classes": F.cross_entropy(classes, y), "back": ((back - x) ** 2).sum()}


def all_sums(output, batch):
    value, classes, back = output
    x, (target, y) = batch
    return {
        "value": F.mse_loss(value, target, reduction="sum"),
        "classes": F.cross_entropy(classes, y, reduction="sum"),
        "back": F.mse_loss(back, x, reduction="sum"),
    }


def all_times_batch(output, batch):
    return {name: part * len(batch[0]) for name, part in terms(output, batch).items()}


def uncertainty(model, batch):
    """Kendall et al. 2018; the total may become negative."""
    parts = terms(model(batch[0]), batch)
    return {name: torch.exp(-s) * part + s / 2 for (name, part), s in zip(parts.items(), model.log_vars)}


def with_decay(model, batch):
    parts = terms(model(batch[0]), batch)
    decay = sum(p.pow(2).sum() for p in model.trunk.parameters())
    return {**parts, "decay": decay}


def counted_under_two_names(output, batch):
    parts = terms(output, batch)
    value, _, _ = output
    return {**parts, "value_mse": (value - batch[1][0]).pow(2).mean()}


def conflicting(model, batch):
    """Two labellings of the same thing with opposite signs."""
    value, classes, _ = model(batch[0])
    target, y = batch[1]
    return {
        "value": F.mse_loss(value, target + 1.0),
        "inverse": F.mse_loss(value, -target - 1.0),
        "classes": 0.2 * F.cross_entropy(classes, y),
    }
