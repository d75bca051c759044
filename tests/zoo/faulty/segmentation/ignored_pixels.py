"""Street scenes: cross-entropies with ignored pixels, and focal losses that are sums."""

import torch
import torch.nn.functional as F
from torch import nn

IGNORE = 255


class Segmenter(nn.Module):
    def __init__(self, classes=6, width=16, auxiliary=True):
        super().__init__()
        self.backbone = nn.Sequential(
            nn.Conv2d(3, width, 3, stride=2, padding=1),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.Conv2d(width, 2 * width, 3, padding=1),
            nn.BatchNorm2d(2 * width),
            nn.ReLU(),
        )
        self.decode = nn.Conv2d(2 * width, classes, 1)
        self.aux = nn.Conv2d(2 * width, classes, 1) if auxiliary else None

    def forward(self, x):
        f = self.backbone(x)
        up = lambda t: F.interpolate(t, size=x.shape[-2:], mode="bilinear", align_corners=False)  # noqa: E731
        out = {"out": up(self.decode(f))}
        return out if self.aux is None else out | {"aux": up(self.aux(f))}


class Streets(torch.utils.data.Dataset):
    def __init__(self, n=16, classes=6, size=24, seed=0, ignored=0.3, edges=False, unlabelled=0):
        g = torch.Generator().manual_seed(seed)
        logits = F.interpolate(torch.randn(n, classes, 3, 3, generator=g), size=size, mode="bilinear")
        self.y = logits.argmax(1)
        self.x = torch.rand(classes, 3, generator=g)[self.y].movedim(-1, 1) - 0.5
        self.x = self.x + 0.1 * torch.randn(self.x.shape, generator=g)
        self.y[torch.rand(self.y.shape, generator=g) < ignored] = IGNORE
        if edges:
            self.y[:, : size // 4] = IGNORE  # the bonnet
        if unlabelled:
            self.y[::unlabelled] = IGNORE  # crops of which nobody has drawn the labels

    def __len__(self):
        return len(self.y)

    def __getitem__(self, i):
        return self.x[i], self.y[i]


def mean_over_all(output, batch):
    """reduction="none" and then a mean that counts the ignored pixels too."""
    y = batch[1]
    main = F.cross_entropy(output["out"], y, ignore_index=IGNORE, reduction="none").mean()
    aux = F.cross_entropy(output["aux"], y, ignore_index=IGNORE)
    return {"loss_ce": main, "loss_aux": aux}


class OhemFreeCE(nn.Module):
    """mmsegmentation before the fix: the average factor is the number of pixels."""

    def __init__(self, class_weight=None):
        super().__init__()
        self.class_weight = class_weight

    def forward(self, logits, label):
        loss = F.cross_entropy(logits, label, weight=self.class_weight, reduction="none", ignore_index=IGNORE)
        return loss.sum() / label.numel()


ce = OhemFreeCE()


def average_factor_step(model, batch):
    x, y = batch
    out = model(x)
    p = out["out"].softmax(1)
    valid = (y != IGNORE).unsqueeze(1)
    onehot = F.one_hot(torch.where(y == IGNORE, 0, y), p.shape[1]).movedim(-1, 1) * valid
    p = p * valid
    dice = 1 - ((2 * (p * onehot).sum((0, 2, 3)) + 1) / (p.sum((0, 2, 3)) + onehot.sum((0, 2, 3)) + 1)).mean()
    return {"ce": ce(out["out"], y), "dice": dice}


def plain_ce(output, batch):
    """Right as long as a crop has one labelled pixel."""
    y = batch[1]
    return {
        "main": F.cross_entropy(output["out"], y, ignore_index=IGNORE),
        "aux": F.cross_entropy(output["aux"], y, ignore_index=IGNORE),
    }


def unlabelled_crop(loader_seed=0, n=3, size=24):
    """One batch of crops holds no label at all."""
    data = Streets(16, size=size, seed=loader_seed)
    for i in range(n):
        x = torch.stack([data[4 * i + k][0] for k in range(4)])
        y = torch.stack([data[4 * i + k][1] for k in range(4)])
        if i == 1:
            y = torch.full_like(y, IGNORE)
        yield x, y


def ce_and_lovasz_like(model, batch):
    x, y = batch
    out = model(x)
    valid = y != IGNORE
    p = out["out"].softmax(1).movedim(1, -1)[valid]
    picked = p.gather(1, y[valid][:, None])
    return {"ce": F.cross_entropy(out["out"], y, ignore_index=IGNORE), "recall": (1 - picked).sum() / (valid.sum() + 1)}


def focal(logits, y, gamma=2.0):
    ce = F.cross_entropy(logits, y, ignore_index=IGNORE, reduction="none")
    return ((1 - torch.exp(-ce)) ** gamma * ce).sum()


def focal_summed(output, batch):
    return {
        "focal": focal(output["out"], batch[1]),
        "aux": F.cross_entropy(output["aux"], batch[1], ignore_index=IGNORE),
    }


class SigmoidFocal(nn.Module):
    def __init__(self, alpha=0.25, gamma=2.0, reduction="sum"):
        super().__init__()
        self.alpha, self.gamma, self.reduction = alpha, gamma, reduction

    def forward(self, logits, onehot):
        p = logits.sigmoid()
        ce = F.binary_cross_entropy_with_logits(logits, onehot, reduction="none")
        p_t = p * onehot + (1 - p) * (1 - onehot)
        alpha_t = self.alpha * onehot + (1 - self.alpha) * (1 - onehot)
        loss = alpha_t * (1 - p_t) ** self.gamma * ce
        return loss.sum() if self.reduction == "sum" else loss.mean()


sigmoid_focal = SigmoidFocal()


def sigmoid_focal_step(model, batch):
    x, y = batch
    out = model(x)
    valid = y != IGNORE
    onehot = F.one_hot(y.masked_fill(~valid, 0), out["out"].shape[1]).movedim(-1, 1).float()
    edge = (out["aux"].diff(dim=-1).abs().mean(1) - 0.1).abs()
    return {"cls": sigmoid_focal(out["out"], onehot), "boundary": edge.mean()}
