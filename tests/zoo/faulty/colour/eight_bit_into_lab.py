"""Recolouring of 8-bit photographs; they go into the LAB conversion as 0–255, which expects 0–1."""

import kornia
import torch
import torch.nn.functional as F
from torch import nn


class Recolour(nn.Module):
    def __init__(self, hidden=16):
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv2d(3, hidden, 3, padding=1),
            nn.GroupNorm(4, hidden),
            nn.SiLU(),
            nn.Conv2d(hidden, hidden, 3, padding=1),
            nn.SiLU(),
            nn.Conv2d(hidden, 3, 3, padding=1),
        )

    def forward(self, x):
        return torch.sigmoid(self.net(x / 255.0)) * 255.0


class Photos(torch.utils.data.Dataset):
    """Pairs of 0–255 float images: faded, original."""

    def __init__(self, n=24, size=24, seed=0):
        g = torch.Generator().manual_seed(seed)
        small = torch.rand(n, 3, 4, 4, generator=g)
        self.images = (F.interpolate(small, size=size, mode="bilinear") * 255).round()

    def __len__(self):
        return len(self.images)

    def __getitem__(self, index):
        image = self.images[index]
        return 0.6 * image + 0.4 * image.mean(), image


def losses(output, batch):
    original = batch[1]
    lab_out, lab_in = kornia.color.rgb_to_lab(output), kornia.color.rgb_to_lab(original)
    scale = output.new_tensor([100.0, 128.0, 128.0])[None, :, None, None]
    return {
        "pixels": F.l1_loss(output / 255, original / 255),
        "color": F.mse_loss(lab_out / scale, lab_in / scale),
    }


class LabTerm(nn.Module):
    def __init__(self):
        super().__init__()
        self.convert = kornia.color.RgbToLab()

    def forward(self, x, y):
        x, y = self.convert(x), self.convert(y)
        return ((x[:, 0] - y[:, 0]) / 100).abs().mean() + ((x[:, 1:] - y[:, 1:]) / 110).abs().mean()


lab_term = LabTerm()


def train_step(model, batch):
    faded, original = batch
    restored = model(faded)
    structure = kornia.losses.ssim_loss(restored / 255, original / 255, 5)
    return {"structure": structure, "lab": lab_term(restored, original)}
