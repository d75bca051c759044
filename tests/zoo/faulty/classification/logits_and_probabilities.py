"""Classifiers whose last activation does not fit the loss."""

import torch
import torch.nn as nn
import torch.nn.functional as F


class SmallResNet(nn.Module):
    """An image classifier; `head` is what stands behind the last layer."""

    def __init__(self, classes=10, width=16, head=None):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU())
        self.block = nn.Sequential(
            nn.Conv2d(width, width, 3, padding=1),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.Conv2d(width, width, 3, padding=1),
        )
        self.fc = nn.Linear(width, classes)
        self.head = head or nn.Identity()

    def features(self, x):
        x = self.stem(x)
        return F.relu(x + self.block(x)).mean((2, 3))

    def forward(self, x):
        return self.head(self.fc(self.features(x)))


def softmax_resnet(classes=10, width=16):
    return SmallResNet(classes, width, nn.Softmax(dim=1))


class Mlp(nn.Module):
    """Tabular data, multi-label or binary."""

    def __init__(self, inputs=20, labels=5, hidden=48, activation="sigmoid"):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(inputs, hidden), nn.BatchNorm1d(hidden), nn.ReLU(), nn.Dropout(0.1), nn.Linear(hidden, labels)
        )
        self.activation = activation

    def forward(self, x):
        x = self.layers(x)
        if self.activation == "sigmoid":
            return torch.sigmoid(x)
        if self.activation == "softmax":
            return x.softmax(dim=-1)
        return F.relu(x) if self.activation == "relu" else x


class Cifar(torch.utils.data.Dataset):
    def __init__(self, n=64, classes=10, size=16, seed=0):
        g = torch.Generator().manual_seed(seed)
        self.y = torch.randint(0, classes, (n,), generator=g)
        prototypes = torch.randn(classes, 3, 4, 4, generator=g)
        x = prototypes[self.y] + 0.5 * torch.randn(n, 3, 4, 4, generator=g)
        self.x = F.interpolate(x, size=size, mode="bilinear")

    def __len__(self):
        return len(self.y)

    def __getitem__(self, i):
        return self.x[i], self.y[i]


class Table(torch.utils.data.Dataset):
    def __init__(self, n=96, inputs=20, labels=5, seed=0, binary=False):
        g = torch.Generator().manual_seed(seed)
        self.x = torch.randn(n, inputs, generator=g)
        score = self.x @ torch.randn(inputs, labels, generator=g) / inputs**0.5
        self.y = (score > 0.3).float()
        if binary:
            self.y = self.y[:, :1]

    def __len__(self):
        return len(self.x)

    def __getitem__(self, i):
        return self.x[i], self.y[i]


def twice_softmax(output, batch):
    y = batch[1]
    p = output.clamp_min(1e-8)
    return {"ce": F.cross_entropy(output, y), "entropy": -(p * p.log()).sum(1).mean()}


class Criterion(nn.Module):
    def __init__(self, smoothing=0.1):
        super().__init__()
        self.ce = nn.CrossEntropyLoss(label_smoothing=smoothing)

    def forward(self, probabilities, labels):
        return self.ce(probabilities, labels)


criterion = Criterion()


def twice_softmax_step(model, batch):
    x, y = batch
    features = model.features(x)
    probabilities = F.softmax(model.fc(features), dim=1)
    return {"classification": criterion(probabilities, y), "feature_norm": features.pow(2).sum(1).mean()}


def twice_sigmoid(output, batch):
    labels = batch[1]
    weight = torch.full((labels.shape[1],), 2.0)
    return {
        "bce": F.binary_cross_entropy_with_logits(output, labels, pos_weight=weight),
        "count": (output.sum(1) - labels.sum(1)).abs().mean() / labels.shape[1],
    }


multilabel = nn.MultiLabelSoftMarginLoss()


def twice_sigmoid_step(model, batch):
    p = model(batch[0])
    return {"labels": multilabel(p, batch[1]), "brier": F.mse_loss(p, batch[1])}


def nll_of_probabilities(output, batch):
    return {"nll": F.nll_loss(output, batch[1]), "confidence": output.pow(2).sum(1).mean()}


nll = nn.NLLLoss()


def nll_step(model, batch):
    """AC-GAN style: auxiliary classes as probabilities, beside real or fake."""
    x, y = batch
    h = model.features(x)
    classes = torch.softmax(model.fc(h), -1)
    return {"aux": nll(classes, y), "center": (h - h.mean(0)).pow(2).mean()}


def one_unit_softmax(output, batch):
    return {"bce": F.binary_cross_entropy(output, batch[1])}


def one_unit_softmax_step(model, batch):
    logit = model.layers(batch[0])
    probability = torch.softmax(logit, dim=1)
    return {
        "risk": F.binary_cross_entropy(probability.squeeze(1), batch[1].squeeze(1)),
        "penalty": logit.pow(2).mean(),
    }


def relu_logits(output, batch):
    """A ReLU behind the last layer: no logit is ever negative, no probability below one half."""
    return {"bce": F.binary_cross_entropy_with_logits(output, batch[1]), "l2": output.pow(2).mean()}


def clamped_logits(output, batch):
    return {
        "bce": F.binary_cross_entropy(output.clamp(0, 1), batch[1]),
        "size": output.abs().mean(),
    }


def signed_labels(output, batch):
    """Labels −1 and 1 in a loss for 0 and 1."""
    labels = 2 * batch[1] - 1
    return {"bce": F.binary_cross_entropy_with_logits(output, labels), "hinge": F.relu(1 - labels * output).mean()}


def unsigned_labels(model, batch):
    scores = model(batch[0])
    return {"soft_margin": F.soft_margin_loss(scores, batch[1]), "l1": scores.abs().mean()}


def accuracy_term(output, batch):
    y = batch[1]
    predicted = output.argmax(1)
    return {"ce": F.cross_entropy(output, y), "error_rate": (predicted != y).float().mean()}


class Hierarchy(nn.Module):
    """Classes in groups: a term for a class that is not in the predicted group."""

    def __init__(self, groups=2):
        super().__init__()
        self.groups = groups

    def forward(self, logits, labels):
        group = logits.argmax(dim=1) % self.groups
        return (group != labels % self.groups).float().mean().exp()


hierarchy = Hierarchy()


def hierarchy_step(model, batch):
    logits = model(batch[0])
    return {"layer_loss": F.cross_entropy(logits, batch[1]), "dependence": hierarchy(logits, batch[1])}


def rounded(model, batch):
    p = torch.sigmoid(model.layers(batch[0]))
    hard = torch.round(p)
    f1 = 2 * (hard * batch[1]).sum() / (hard.sum() + batch[1].sum())
    return {"bce": F.binary_cross_entropy(p, batch[1]), "f1": 1 - f1}
