"""A trunk with heads on tabular signals: what can go wrong on the way of the gradient."""

import torch
import torch.nn as nn
import torch.nn.functional as F


class Net(nn.Module):
    def __init__(
        self,
        inputs=10,
        hidden=32,
        outputs=4,
        zero_head=False,
        constant=False,
        saturate=0.0,
        bias=None,
        extra=False,
        probabilities=False,
    ):
        super().__init__()
        self.trunk = nn.Sequential(nn.Linear(inputs, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU())
        self.score, self.regress = nn.Linear(hidden, outputs), nn.Linear(hidden, outputs)
        if extra:
            self.auxiliary = nn.Sequential(nn.Linear(hidden, hidden), nn.ReLU(), nn.Linear(hidden, outputs))
        if zero_head:
            nn.init.zeros_(self.regress.weight)
            nn.init.zeros_(self.regress.bias)
        if saturate:
            nn.init.normal_(self.score.weight, std=saturate)
        if bias is not None:
            nn.init.constant_(self.trunk[2].bias, bias)
        self.constant, self.probabilities = constant, probabilities

    def forward(self, x):
        h = self.trunk(torch.zeros_like(x) if self.constant else x)
        score = self.score(h)
        return {"score": score.sigmoid() if self.probabilities else score, "regress": self.regress(h)}


def rows(n=40, inputs=10, outputs=4, seed=0):
    for k in range(4):
        g = torch.Generator().manual_seed(seed + k)
        x = torch.randn(n, inputs, generator=g)
        w = torch.randn(inputs, outputs, generator=torch.Generator().manual_seed(55))
        y = torch.tanh(x @ w / inputs**0.5)
        yield (
            x,
            {
                "regress": y + 0.05 * torch.randn(n, outputs, generator=g),
                "label": y.argmax(1),
                "binary": (y > 0).float(),
            },
        )


def good(output, batch):
    return {
        "ce": F.cross_entropy(output["score"], batch[1]["label"]),
        "mse": F.mse_loss(output["regress"], batch[1]["regress"]),
    }


def item(output, batch):
    parts = good(output, batch)
    return {"ce": parts["ce"], "mse": parts["mse"].item()}


def data(output, batch):
    parts = good(output, batch)
    return {"ce": parts["ce"], "l1": F.l1_loss(output["regress"].data, batch[1]["regress"]), "mse": parts["mse"]}


def rebuilt(output, batch):
    """torch.tensor() of tensors makes a new leaf."""
    parts = good(output, batch)
    return {"ce": parts["ce"], "mse": torch.tensor([float(parts["mse"])]).mean()}


def floor(output, batch):
    rounded = torch.floor(output["regress"] * 10) / 10
    return {
        "ce": F.cross_entropy(output["score"], batch[1]["label"]),
        "quantised": F.mse_loss(rounded, batch[1]["regress"]),
    }


def threshold(output, batch):
    """Soft IoU of a hard mask."""
    mask = (torch.sigmoid(output["score"]) > 0.5).float()
    inter = (mask * batch[1]["binary"]).sum()
    union = mask.sum() + batch[1]["binary"].sum() - inter
    return {
        "bce": F.binary_cross_entropy_with_logits(output["score"], batch[1]["binary"]),
        "iou": 1 - inter / union.clamp(min=1),
    }


def straight_through(output, batch):
    """Rounded forward, the identity backward."""
    y = output["regress"]
    quantised = y + (torch.round(y * 10) / 10 - y).detach()
    return {
        "ce": F.cross_entropy(output["score"], batch[1]["label"]),
        "quantised": F.mse_loss(quantised, batch[1]["regress"]),
    }


def clamped(output, batch):
    """Predictions are clamped to the range of another unit."""
    y = output["regress"].clamp(5, 95)
    return {"ce": F.cross_entropy(output["score"], batch[1]["label"]), "l1": F.l1_loss(y / 100, batch[1]["regress"])}


def clamped_gently(output, batch):
    """A few outliers are clamped, on purpose."""
    y = output["regress"].clamp(-1.2, 1.2)
    return {"ce": F.cross_entropy(output["score"], batch[1]["label"]), "l1": F.l1_loss(y, batch[1]["regress"])}


def saturated(output, batch):
    return {
        "mse": F.mse_loss(output["score"], batch[1]["binary"]),
        "regress": F.mse_loss(output["regress"], batch[1]["regress"]),
    }


def target_against_target(output, batch):
    y = batch[1]["regress"]
    return {"ce": F.cross_entropy(output["score"], batch[1]["label"]), "l1": F.l1_loss(y, y.clone())}


def only_score(output, batch):
    y = output["score"]
    return {"ce": F.cross_entropy(y, batch[1]["label"]), "margin": F.multi_margin_loss(y, batch[1]["label"])}


def negated(output, batch):
    """A log-likelihood, maximised elsewhere."""
    return {
        "ce": F.cross_entropy(output["score"], batch[1]["label"]),
        "likelihood": -F.mse_loss(output["regress"], batch[1]["regress"]),
    }


def normalised_target(output, batch):
    """The target is standardised, the prediction is not; the floor is what was subtracted."""
    y = batch[1]["regress"]
    return {
        "ce": F.cross_entropy(output["score"], batch[1]["label"]),
        "ratio": ((output["regress"] + 1 - y) ** 2).mean() + (output["regress"] - y).abs().mean(),
    }


def shifted_optimum(output, batch):
    y, t = output["regress"], batch[1]["regress"]
    return {"ce": F.cross_entropy(output["score"], batch[1]["label"]), "mse": F.mse_loss(torch.tanh(y), t.tanh() * 0.5)}


def frozen_regulariser(output, batch):
    """The penalty is computed on weights that are not the model's."""
    stale = torch.ones(10, 10)
    return {**good(output, batch), "penalty": 1e-2 * stale.pow(2).sum()}


def dead(output, batch):
    return good(output, batch)


def squeeze_all(output, batch):
    return {
        "ce": F.cross_entropy(output["score"], batch[1]["label"]),
        "mse": F.mse_loss(output["regress"][:, :1], batch[1]["regress"][:, 0]),
    }


def mae_by_hand(output, batch):
    p, t = output["regress"].sum(1, keepdim=True), batch[1]["regress"].sum(1)
    return {"ce": F.cross_entropy(output["score"], batch[1]["label"]), "total": (t - p).abs().mean()}


def swapped(output, batch):
    """BCE with its arguments the wrong way round."""
    p = torch.sigmoid(output["score"])
    return {
        "bce": F.binary_cross_entropy(batch[1]["binary"].clamp(1e-4, 1 - 1e-4), p),
        "mse": F.mse_loss(output["regress"], batch[1]["regress"]),
    }


def sigmoid_twice(output, batch):
    p = torch.sigmoid(output["score"])
    return {
        "bce": F.binary_cross_entropy_with_logits(p, batch[1]["binary"]),
        "mse": F.mse_loss(output["regress"], batch[1]["regress"]),
    }


def raw_bce(output, batch):
    """log of raw scores, by hand."""
    p, y = output["score"].abs().clamp(1e-3, 0.999), batch[1]["binary"]
    return {
        "bce": -(y * p.log() + (1 - y) * (1 - p).log()).mean(),
        "mse": F.mse_loss(output["regress"], batch[1]["regress"]),
    }


def labels_beyond(output, batch):
    """Labels of -1 and 1 in a loss for 0 and 1."""
    y = 2 * batch[1]["binary"] - 1
    return {
        "bce": nn.BCEWithLogitsLoss()(output["score"], y),
        "mse": F.mse_loss(output["regress"], batch[1]["regress"]),
    }
