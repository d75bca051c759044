"""Deep supervision: the same binary cross-entropy on the mask of every decoder stage (U-Net++)."""

import torch
import torch.nn.functional as F
from torch import nn


class Decoder(nn.Module):
    def __init__(self, width=8):
        super().__init__()
        self.stage1 = nn.Sequential(nn.Conv2d(1, width, 3, 2, 1), nn.ReLU())
        self.stage2 = nn.Sequential(nn.Conv2d(width, 2 * width, 3, 2, 1), nn.ReLU())
        self.stage3 = nn.Sequential(nn.Conv2d(2 * width, 2 * width, 3, 2, 1), nn.ReLU())
        self.heads = nn.ModuleList([nn.Conv2d(c, 1, 1) for c in (width, 2 * width, 2 * width)])

    def forward(self, x):
        f1 = self.stage1(x)
        f2 = self.stage2(f1)
        f3 = self.stage3(f2)
        size = x.shape[-2:]
        return [F.interpolate(head(f), size=size) for head, f in zip(self.heads, (f1, f2, f3), strict=True)]


def batches():
    for seed in range(4):
        generator = torch.Generator().manual_seed(seed)
        mask = (F.interpolate(torch.rand(4, 1, 4, 4, generator=generator), size=32) > 0.6).float()
        yield mask + 0.3 * torch.randn(mask.shape, generator=generator), mask


def terms(outputs, batch):
    bce = nn.BCEWithLogitsLoss(pos_weight=torch.tensor(1.5))
    return {f"stage{i}": bce(logits, batch[1]) for i, logits in enumerate(outputs, start=1)}
