"""The data set stores CIELAB as OpenCV does in 8 bits (L·255/100, a+128, b+128); the loss converts the output as floats."""

import kornia
import torch
import torch.nn.functional as F
from torch import nn


class ColorNet(nn.Module):
    def __init__(self, width=16):
        super().__init__()
        self.trunk = nn.Sequential(
            nn.Conv2d(1, width, 5, padding=2), nn.ReLU(), nn.Conv2d(width, width, 3, padding=1), nn.ReLU()
        )
        self.rgb = nn.Conv2d(width, 3, 1)

    def forward(self, gray):
        return torch.sigmoid(self.rgb(self.trunk(gray)))


class OpenCVLab(torch.utils.data.Dataset):
    def __init__(self, n=24, size=24, seed=0):
        g = torch.Generator().manual_seed(seed)
        rgb = F.interpolate(torch.rand(n, 3, 4, 4, generator=g), size=size, mode="bilinear")
        self.gray = kornia.color.rgb_to_grayscale(rgb)
        lab = kornia.color.rgb_to_lab(rgb)
        lab = torch.cat([lab[:, :1] * 255 / 100, lab[:, 1:] + 128], 1)
        self.lab8 = lab.round().clamp(0, 255)  # cv2.cvtColor(uint8, COLOR_RGB2LAB)

    def __len__(self):
        return len(self.gray)

    def __getitem__(self, i):
        return self.gray[i], self.lab8[i]


def lab_loss(output, batch):
    lab = kornia.color.rgb_to_lab(output)
    return {"lab": F.l1_loss(lab, batch[1]), "flat": kornia.losses.total_variation(output, reduction="mean").mean()}


def step(model, batch):
    gray, lab_cv = batch
    rgb = model(gray)
    lab = kornia.color.rgb_to_lab(rgb)
    light = rgb.mul(rgb.new_tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)).sum(1, keepdim=True)
    return {"luma": F.mse_loss(light, gray), "color": (lab - lab_cv).pow(2).mean().div(100.0**2)}
