"""Segmentation with region, boundary and focal losses, ignored pixels and deep supervision."""

import torch
import torch.nn.functional as F
from torch import nn


class Nested(nn.Module):
    """UNet++ in miniature, one logit map for every depth."""

    def __init__(self, classes=1, width=12):
        super().__init__()
        conv = lambda i, o: nn.Sequential(nn.Conv2d(i, o, 3, padding=1), nn.BatchNorm2d(o), nn.ReLU())  # noqa: E731
        self.c0, self.c1, self.c2 = conv(3, width), conv(width, 2 * width), conv(2 * width, 2 * width)
        self.u1, self.u0 = conv(4 * width, 2 * width), conv(3 * width, width)
        self.heads = nn.ModuleList([nn.Conv2d(c, classes, 1) for c in (width, 2 * width, 2 * width)])

    def forward(self, x):
        up = lambda t: F.interpolate(t, scale_factor=2, mode="bilinear")  # noqa: E731
        a = self.c0(x)
        b = self.c1(F.max_pool2d(a, 2))
        c = self.c2(F.max_pool2d(b, 2))
        b = self.u1(torch.cat([b, up(c)], 1))
        a = self.u0(torch.cat([a, up(b)], 1))
        return [head(f) for head, f in zip(self.heads, (a, b, c))]


class Cells(torch.utils.data.Dataset):
    def __init__(self, n=24, classes=1, size=24, seed=0, ignored=0.0):
        g = torch.Generator().manual_seed(seed)
        field = F.interpolate(torch.randn(n, max(2, classes), 5, 5, generator=g), size=size, mode="bilinear")
        labels = field.argmax(1)
        self.x = torch.rand(max(2, classes), 3, generator=g)[labels].movedim(-1, 1)
        self.x = self.x + 0.15 * torch.randn(self.x.shape, generator=g)
        if classes == 1:
            self.y = labels[:, None].float()
        else:
            self.y = labels.masked_fill(torch.rand(labels.shape, generator=g) < ignored, 255)

    def __len__(self):
        return len(self.y)

    def __getitem__(self, i):
        return self.x[i], self.y[i]


def soft_dice(p, y, smooth=1.0):
    axes = tuple(range(1, p.dim()))
    return (1 - (2 * (p * y).sum(axes) + smooth) / (p.sum(axes) + y.sum(axes) + smooth)).mean()


def bce_dice(output, batch):
    y = batch[1]
    return {"bce": F.binary_cross_entropy_with_logits(output[0], y), "dice": soft_dice(output[0].sigmoid(), y)} | {
        f"deep_{i}": F.binary_cross_entropy_with_logits(o, F.max_pool2d(y, 2**i)) for i, o in enumerate(output) if i
    }


class TverskyFocal(nn.Module):
    def __init__(self, alpha=0.3, beta=0.7, gamma=0.75):
        super().__init__()
        self.alpha, self.beta, self.gamma = alpha, beta, gamma

    def forward(self, p, y):
        tp, fp, fn = (p * y).sum((2, 3)), (p * (1 - y)).sum((2, 3)), ((1 - p) * y).sum((2, 3))
        tversky = (tp + 1) / (tp + self.alpha * fp + self.beta * fn + 1)
        return (1 - tversky).pow(self.gamma).mean()


tversky = TverskyFocal()


def tversky_step(model, batch):
    x, y = batch
    full, half, quarter = model(x)
    p = full.sigmoid()
    edge = lambda t: t - F.avg_pool2d(t, 3, 1, 1)  # noqa: E731
    aux = F.binary_cross_entropy_with_logits(half, F.avg_pool2d(y, 2)) + F.binary_cross_entropy_with_logits(
        quarter, F.avg_pool2d(y, 4)
    )
    return {"tversky": tversky(p, y), "boundary": F.mse_loss(edge(p), edge(y)), "aux": aux}


def ignored_pixels(output, batch):
    """Ignored pixels count nowhere: neither above nor below the fraction."""
    y = batch[1]
    valid = (y != 255).unsqueeze(1)
    p = output[0].softmax(1) * valid
    onehot = F.one_hot(y.masked_fill(y == 255, 0), p.shape[1]).movedim(-1, 1) * valid
    small = [F.cross_entropy(o, y[:, :: 2**i, :: 2**i], ignore_index=255) for i, o in enumerate(output) if i]
    return {"ce": F.cross_entropy(output[0], y, ignore_index=255), "dice": soft_dice(p, onehot), "aux": sum(small) / 2}


def masked_mean(model, batch):
    x, y = batch
    out = model(x)
    valid = (y != 255).float()
    ce = F.cross_entropy(out[0], y.masked_fill(y == 255, 0), reduction="none")
    weight = torch.where(valid > 0, 1 + 2 * (ce.detach() > 1).float(), 0.0)
    rest = sum(F.cross_entropy(o, y[:, :: 2**i, :: 2**i], ignore_index=255) for i, o in enumerate(out) if i)
    return {"ohem": (ce * weight).sum() / weight.sum().clamp(min=1), "aux": rest}
