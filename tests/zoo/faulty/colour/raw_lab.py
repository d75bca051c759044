"""Colorization: a grey image in, RGB out, compared in CIELAB as kornia gives it."""

import kornia
import torch
import torch.nn.functional as F
from torch import nn


class ColorizationNet(nn.Module):
    def __init__(self, width=16):
        super().__init__()
        self.down = nn.Sequential(
            nn.Conv2d(1, width, 3, stride=2, padding=1),
            nn.BatchNorm2d(width),
            nn.ReLU(inplace=True),
            nn.Conv2d(width, 2 * width, 3, padding=1),
            nn.BatchNorm2d(2 * width),
            nn.ReLU(inplace=True),
        )
        self.up = nn.Sequential(
            nn.Conv2d(2 * width, width, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.Upsample(scale_factor=2, mode="bilinear", align_corners=False),
            nn.Conv2d(width, 3, 3, padding=1),
            nn.Sigmoid(),
        )

    def forward(self, x):
        return self.up(self.down(x))


class SmoothPhotos(torch.utils.data.Dataset):
    """Colour fields with a few edges, in the place of photographs."""

    def __init__(self, size=32, length=32, seed=0):
        g = torch.Generator().manual_seed(seed)
        coarse = torch.rand(length, 3, 4, 4, generator=g)
        self.images = F.interpolate(coarse, size=size, mode="bicubic").clamp(0, 1)
        self.images[:, :, size // 2 :, : size // 3] *= 0.5

    def __len__(self):
        return len(self.images)

    def __getitem__(self, i):
        rgb = self.images[i]
        return kornia.color.rgb_to_grayscale(rgb), rgb


class FeatureLoss(nn.Module):
    """Frozen convolutions; the real run uses VGG."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(7)
        self.features = nn.Sequential(
            nn.Conv2d(3, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(16, 32, 3, padding=1), nn.ReLU()
        )
        self.features.requires_grad_(False).eval()
        self.register_buffer("mean", torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1))

    def forward(self, x, y):
        x, y = (x - self.mean) / self.std, (y - self.mean) / self.std
        return F.l1_loss(self.features(x), self.features(y))


feature_loss = FeatureLoss()


def criterion(output, batch):
    _, rgb = batch
    lab_pred, lab_true = kornia.color.rgb_to_lab(output), kornia.color.rgb_to_lab(rgb)
    return {
        "perceptual": feature_loss(output, rgb),
        "lab": F.mse_loss(lab_pred, lab_true),
        "ab": F.mse_loss(lab_pred[:, 1:], lab_true[:, 1:]),
    }


class LabLoss(nn.Module):
    """The same with L1 and two separate terms, as a module."""

    def __init__(self):
        super().__init__()
        self.to_lab = kornia.color.RgbToLab()
        self.l1 = nn.L1Loss()

    def forward(self, pred, target):
        p, t = self.to_lab(pred), self.to_lab(target)
        return self.l1(p[:, :1], t[:, :1]), self.l1(p[:, 1:], t[:, 1:])


lab_loss = LabLoss()


def training_step(net, batch):
    gray, rgb = batch
    pred = net(gray)
    lightness, chroma = lab_loss(pred, rgb)
    return {"rgb": F.mse_loss(pred, rgb), "lightness": lightness, "chroma": chroma}
