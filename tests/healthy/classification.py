"""Image classification: cross-entropy with label smoothing and an L2 penalty that is written out."""

import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import Dataset


class SmallResNet(nn.Module):
    def __init__(self, classes, width=16):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU(True))
        self.block = nn.Sequential(
            nn.Conv2d(width, width, 3, padding=1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(True),
            nn.Conv2d(width, width, 3, padding=1, bias=False),
            nn.BatchNorm2d(width),
        )
        self.dropout = nn.Dropout(0.2)
        self.fc = nn.Linear(width, classes)

    def forward(self, x):
        x = self.stem(x)
        x = F.relu(x + self.block(x))
        return self.fc(self.dropout(F.adaptive_avg_pool2d(x, 1).flatten(1)))


class Stripes(Dataset):
    def __init__(self, size=64, classes=10):
        self.size, self.classes = size, classes

    def __len__(self):
        return self.size

    def __getitem__(self, index):
        label = index % self.classes
        phase = torch.linspace(0, (label + 1) * 3.14, 16)
        noise = torch.randn(3, 16, 16, generator=torch.Generator().manual_seed(index))
        return torch.sin(phase).expand(3, 16, 16) + 0.3 * noise, label


def losses(model, batch):
    images, labels = batch
    logits = model(images)
    ce = F.cross_entropy(logits, labels, label_smoothing=0.1)
    l2 = sum(p.pow(2).sum() for p in model.parameters() if p.dim() > 1)
    return {"ce": ce, "l2": l2}, logits
