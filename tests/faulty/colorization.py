"""Colorization with losses in raw CIELAB, in the ways in which it gets into people's code."""

import kornia.color
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import Dataset


class Colorizer(nn.Module):
    def __init__(self, outputs=3):
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv2d(1, 16, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(16, 16, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(16, outputs, 1),
        )

    def forward(self, grey):
        return torch.sigmoid(self.net(grey))


class LabRegressor(Colorizer):
    """Predicts L, a and b themselves."""

    def forward(self, grey):
        return self.net(grey)


class Photos(Dataset):
    """Smooth coloured patches: (1×24×24 grey, 3×24×24 RGB), or the second in CIELAB."""

    def __init__(self, in_lab=False):
        self.in_lab = in_lab

    def __len__(self):
        return 16

    def __getitem__(self, index):
        generator = torch.Generator().manual_seed(index)
        rgb = F.interpolate(torch.rand(1, 3, 6, 6, generator=generator), size=24, mode="bilinear")
        grey = kornia.color.rgb_to_grayscale(rgb)[0]
        return grey, (kornia.color.rgb_to_lab(rgb) if self.in_lab else rgb)[0]


class RandomFeatures(nn.Module):
    """Frozen convolutions in the place of a pretrained network."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(1)
        self.conv = nn.Sequential(nn.Conv2d(3, 16, 3), nn.ReLU(), nn.Conv2d(16, 32, 3)).requires_grad_(False)

    def forward(self, x, y):
        return F.mse_loss(self.conv(x), self.conv(y))


class ColorLoss(nn.Module):
    def __init__(self):
        super().__init__()
        self.perceptual = RandomFeatures()
        self.mse = nn.MSELoss()

    def forward(self, predicted, target):
        lab, lab_target = kornia.color.rgb_to_lab(predicted), kornia.color.rgb_to_lab(target)
        return {
            "perceptual": self.perceptual(predicted, target),
            "color": self.mse(lab, lab_target),  # fault: kornia gives L up to 100, a and b up to ±100
        }


criterion = ColorLoss()
perceptual = RandomFeatures()


def kornia_terms(output, batch):
    return criterion(output, batch[1])


def rgb2lab(image):
    """sRGB in [0, 1] to CIELAB under D65, written out."""
    linear = torch.where(image > 0.04045, ((image + 0.055) / 1.055).clamp(min=1e-6) ** 2.4, image / 12.92)
    matrix = image.new_tensor([[0.4125, 0.3576, 0.1804], [0.2127, 0.7152, 0.0722], [0.0193, 0.1192, 0.9503]])
    xyz = torch.einsum("rc,nchw->nrhw", matrix, linear) / image.new_tensor([0.9505, 1.0, 1.089]).view(1, 3, 1, 1)
    f = torch.where(xyz > 0.008856, xyz.clamp(min=1e-6) ** (1 / 3), 7.787 * xyz + 16 / 116)
    x, y, z = f.unbind(1)
    return torch.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], dim=1)


def by_hand(model, batch):
    grey, rgb = batch
    predicted = model(grey)
    difference = rgb2lab(predicted) - rgb2lab(rgb)
    return {
        "features": perceptual(predicted, rgb),
        "color": (difference**2).mean(),  # fault: by hand
    }


def lab_targets(output, batch):
    """The data set gives CIELAB, and the network is asked for it in its own units."""
    rgb = kornia.color.lab_to_rgb(output.clamp(-100, 100), clip=False)
    return {
        "reconstruction": F.mse_loss(output, batch[1]),  # fault: the data is in raw units
        "vividness": (1 - rgb.std(dim=(2, 3))).abs().mean(),
    }


def overlapping(model, batch):
    """Normalised as it should be, but colour is compared twice."""
    grey, rgb = batch
    offset, scale = torch.tensor([0.0, 128, 128]).view(1, 3, 1, 1), torch.tensor([100.0, 256, 256]).view(1, 3, 1, 1)
    predicted = model(grey)
    lab, goal = ((kornia.color.rgb_to_lab(image) + offset) / scale for image in (predicted, rgb))
    return {
        "lab": (lab - goal).pow(2).mean(),
        "ab": (lab[:, 1:] - goal[:, 1:]).pow(2).mean(),
        "features": perceptual(predicted, rgb),
    }
