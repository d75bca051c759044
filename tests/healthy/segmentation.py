"""Semantic segmentation: cross-entropy and soft Dice, with ignored pixels."""

import torch
import torch.nn.functional as F
from torch import nn


class DiceLoss(nn.Module):
    def __init__(self, smooth=1.0, ignore_index=255):
        super().__init__()
        self.smooth = smooth
        self.ignore_index = ignore_index

    def forward(self, logits, target):
        probabilities = logits.softmax(dim=1)
        valid = (target != self.ignore_index).unsqueeze(1)
        onehot = F.one_hot(target.clamp(max=logits.shape[1] - 1), logits.shape[1]).permute(0, 3, 1, 2).float() * valid
        probabilities = probabilities * valid
        intersection = (probabilities * onehot).sum(dim=(0, 2, 3))
        union = probabilities.sum(dim=(0, 2, 3)) + onehot.sum(dim=(0, 2, 3))
        return 1 - ((2 * intersection + self.smooth) / (union + self.smooth)).mean()


class Segmenter(nn.Module):
    def __init__(self, classes=4):
        super().__init__()
        self.encoder = nn.Sequential(nn.Conv2d(3, 16, 3, 2, 1), nn.ReLU(), nn.Conv2d(16, 32, 3, 2, 1), nn.ReLU())
        self.head = nn.Conv2d(32, classes, 1)

    def forward(self, x):
        return {"out": F.interpolate(self.head(self.encoder(x)), size=x.shape[-2:], mode="bilinear")}


def batches():
    for seed in range(4):
        generator = torch.Generator().manual_seed(seed)
        target = torch.randint(0, 4, (4, 4, 4), generator=generator).repeat_interleave(8, 1).repeat_interleave(8, 2)
        image = (
            F.one_hot(target, 4).permute(0, 3, 1, 2)[:, :3].float()
            + torch.randn(4, 3, 32, 32, generator=generator) * 0.2
        )
        target[:, :2] = 255
        yield image, target


cross_entropy = nn.CrossEntropyLoss(ignore_index=255)
dice = DiceLoss()


def criterion(output, batch):
    _, target = batch
    return {"ce": cross_entropy(output["out"], target), "dice": dice(output["out"], target)}
