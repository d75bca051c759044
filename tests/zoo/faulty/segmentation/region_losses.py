"""Segmentation with Dice, Jaccard and Tversky losses next to a cross-entropy; what they are given, and their sign."""

import torch
import torch.nn as nn
import torch.nn.functional as F


class UNet(nn.Module):
    def __init__(self, classes=4, base=12, cin=3):
        super().__init__()
        block = lambda i, o: nn.Sequential(  # noqa: E731
            nn.Conv2d(i, o, 3, padding=1), nn.BatchNorm2d(o), nn.ReLU(), nn.Conv2d(o, o, 3, padding=1), nn.ReLU()
        )
        self.d1, self.d2 = block(cin, base), block(base, 2 * base)
        self.up = nn.ConvTranspose2d(2 * base, base, 2, 2)
        self.u1 = block(2 * base, base)
        self.out = nn.Conv2d(base, classes, 1)

    def forward(self, x):
        a = self.d1(x)
        b = self.d2(F.max_pool2d(a, 2))
        return self.out(self.u1(torch.cat([a, self.up(b)], 1)))


class Scenes(torch.utils.data.Dataset):
    """Images and label maps; with binary, one mask channel."""

    def __init__(self, n=24, classes=4, size=24, seed=0, binary=False, peak=1.0):
        g = torch.Generator().manual_seed(seed)
        logits = F.interpolate(torch.randn(n, classes, 4, 4, generator=g), size=size, mode="bilinear")
        self.y = logits.argmax(1)
        colours = torch.rand(classes, 3, generator=g)
        self.x = colours[self.y].movedim(-1, 1) + 0.1 * torch.randn(n, 3, size, size, generator=g)
        if binary:
            self.y = (self.y == 0)[:, None].float() * peak

    def __len__(self):
        return len(self.y)

    def __getitem__(self, i):
        return self.x[i], self.y[i]


def dice_coefficient(p, t, eps=1e-6):
    inter = (p * t).sum((-1, -2))
    return ((2 * inter + eps) / (p.sum((-1, -2)) + t.sum((-1, -2)) + eps)).mean()


def dice_of_logits(output, batch):
    mask = batch[1]
    return {
        "bce": F.binary_cross_entropy_with_logits(output, mask),
        "dice": 1 - dice_coefficient(output, mask),
    }


class DiceLoss(nn.Module):
    def __init__(self, smooth=1.0):
        super().__init__()
        self.smooth = smooth

    def forward(self, inputs, targets):
        inputs, targets = inputs.view(-1), targets.view(-1)
        intersection = (inputs * targets).sum()
        return 1 - (2.0 * intersection + self.smooth) / (inputs.sum() + targets.sum() + self.smooth)


class MulticlassDice(nn.Module):
    def __init__(self, eps=1e-5):
        super().__init__()
        self.eps = eps

    def forward(self, x, y):
        onehot = F.one_hot(y, x.size(1)).permute(0, 3, 1, 2).to(x.dtype)
        axes = (0, 2, 3)
        overlap = (x * onehot).sum(axes)
        return 1 - (2 * overlap / (x.sum(axes) + onehot.sum(axes)).clamp(min=self.eps)).mean()


dice_loss, multiclass_dice = DiceLoss(), MulticlassDice()


def dice_of_logits_step(model, batch):
    logits = model(batch[0])
    return {"ce": F.cross_entropy(logits, batch[1]), "dice": multiclass_dice(logits, batch[1])}


def two_activations(output, batch):
    probabilities = torch.softmax(output, dim=1)
    onehot = F.one_hot(batch[1], output.shape[1]).movedim(-1, 1).float()
    return {
        "ce": F.cross_entropy(output, batch[1]),
        "dice": 1 - dice_coefficient(torch.sigmoid(probabilities), onehot),
    }


class SigmoidDice(nn.Module):
    """A Dice loss that applies its own sigmoid."""

    def forward(self, logits, target):
        return dice_loss(torch.sigmoid(logits), target)


sigmoid_dice = SigmoidDice()


def two_activations_step(model, batch):
    x, mask = batch
    p = torch.sigmoid(model(x))
    return {"bce": F.binary_cross_entropy(p, mask), "dice": sigmoid_dice(p, mask)}


def dice_minimised(output, batch):
    p = output.sigmoid()
    return {"bce": F.binary_cross_entropy_with_logits(output, batch[1]), "dice": dice_coefficient(p, batch[1])}


class Jaccard(nn.Module):
    def __init__(self, from_logits=True):
        super().__init__()
        self.from_logits = from_logits

    def forward(self, x, y):
        p = x.softmax(1) if self.from_logits else x
        t = F.one_hot(y, p.shape[1]).movedim(3, 1)
        inter = torch.sum(p * t, (0, 2, 3))
        union = torch.sum(p + t, (0, 2, 3)) - inter
        return (inter / (union + 1e-7)).mean()


jaccard = Jaccard()


def jaccard_step(model, batch):
    logits = model(batch[0])
    return {"ce": F.cross_entropy(logits, batch[1]), "iou": jaccard(logits, batch[1])}


def negated_twice(output, batch):
    """−(1 − Tversky): a sign too many."""
    p, y = output.sigmoid().flatten(1), batch[1].flatten(1)
    tp, fp, fn = (p * y).sum(1), (p * (1 - y)).sum(1), ((1 - p) * y).sum(1)
    tversky = (tp + 1) / (tp + 0.3 * fp + 0.7 * fn + 1)
    return {"focal": F.binary_cross_entropy_with_logits(output, batch[1]), "tversky": -(1 - tversky).mean()}


def masks_of_255(output, batch):
    """PNG masks, 0 and 255, straight into BCE."""
    mask = batch[1]
    return {
        "bce": F.binary_cross_entropy_with_logits(output, mask),
        "dice": 1 - dice_coefficient(output.sigmoid(), mask / 255),
    }


def hard_dice(output, batch):
    predicted = (output.sigmoid() > 0.5).float()
    return {
        "bce": F.binary_cross_entropy_with_logits(output, batch[1]),
        "dice": 1 - dice_coefficient(predicted, batch[1]),
    }


def hard_dice_step(model, batch):
    logits = model(batch[0])
    hard = F.one_hot(logits.argmax(1), logits.shape[1]).movedim(-1, 1).float()
    onehot = F.one_hot(batch[1], logits.shape[1]).movedim(-1, 1).float()
    return {"ce": F.cross_entropy(logits, batch[1]), "dice": 1 - dice_coefficient(hard, onehot)}
