"""Distillation of an image classifier (Hinton et al. 2015), with hints between features (FitNets)."""

import torch
import torch.nn as nn
import torch.nn.functional as F

T = 4.0


def net(width, classes, dropout=0.0):
    return nn.ModuleDict(
        {
            "features": nn.Sequential(
                nn.Conv2d(3, width, 3, stride=2, padding=1),
                nn.BatchNorm2d(width),
                nn.ReLU(),
                nn.AdaptiveAvgPool2d(2),
                nn.Flatten(),
                nn.Dropout(dropout),
            ),
            "fc": nn.Linear(4 * width, classes),
        }
    )


class Distiller(nn.Module):
    def __init__(self, classes=20, student=8, teacher=24, freeze=True, dropout=0.0):
        super().__init__()
        self.student = net(student, classes)
        self.hint = nn.Linear(4 * student, 4 * teacher)
        self.teacher = net(teacher, classes, dropout)
        nn.init.normal_(self.teacher["fc"].weight, std=0.5)  # it knows what it wants
        if freeze:
            self.teacher.requires_grad_(False)
        self.evaluate = freeze and not dropout

    def train(self, mode=True):
        super().train(mode)
        if self.evaluate:
            self.teacher.eval()
        return self

    def forward(self, x):
        s, t = self.student["features"](x), self.teacher["features"](x)
        return self.student["fc"](s), self.teacher["fc"](t), self.hint(s), t


def digits(n=32, classes=20, size=12, batches=4):
    for seed in range(batches):
        g = torch.Generator().manual_seed(seed)
        y = torch.randint(0, classes, (n,), generator=g)
        base = torch.randn(classes, 3, size, size, generator=torch.Generator().manual_seed(99))
        yield base[y] + 0.5 * torch.randn(n, 3, size, size, generator=g), y


def soft(s, t, reduction="batchmean"):
    return F.kl_div(F.log_softmax(s / T, 1), F.softmax(t / T, 1), reduction=reduction) * T * T


def kd(model, batch):
    s, t, hint, f = model(batch[0])
    return {"ce": F.cross_entropy(s, batch[1]), "kd": soft(s, t), "hint": F.mse_loss(hint, f)}


def kd_of_log_softmax_twice(model, batch):
    """log_softmax of log_softmax is log_softmax."""
    s, t, hint, f = model(batch[0])
    log_p = F.log_softmax(s, 1)
    return {"ce": F.cross_entropy(log_p, batch[1]), "kd": soft(log_p, t), "hint": F.mse_loss(hint, f.detach())}


def elementwise_mean(model, batch):
    s, t, _, _ = model(batch[0])
    return {"ce": F.cross_entropy(s, batch[1]), "kd": soft(s, t, reduction="mean")}


def probabilities_as_input(model, batch):
    s, t, _, _ = model(batch[0])
    loss = nn.KLDivLoss(reduction="batchmean")(F.softmax(s / T, dim=1), F.softmax(t / T, dim=1))
    return {"ce": F.cross_entropy(s, batch[1]), "kd": loss * T**2}


def logits_as_target(model, batch):
    s, t, _, _ = model(batch[0])
    return {
        "ce": F.cross_entropy(s, batch[1]),
        "kd": F.kl_div(F.log_softmax(s / T, dim=1), t / T, reduction="batchmean"),
    }


def hot_without_square(model, batch):
    """T = 20 and no T²."""
    s, t, hint, f = model(batch[0])
    kl = F.kl_div(F.log_softmax(s / 20, dim=1), F.softmax(t / 20, dim=1), reduction="batchmean")
    return {"ce": F.cross_entropy(s, batch[1]), "kd": kl, "hint": F.mse_loss(hint, f)}


def hint_under_no_grad(model, batch):
    with torch.no_grad():
        s, t, hint, f = model(batch[0])
    logits = model.student["fc"](model.student["features"](batch[0]))
    return {"ce": F.cross_entropy(logits, batch[1]), "kd": soft(logits, t), "hint": F.l1_loss(hint, f)}
