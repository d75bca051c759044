"""Restoration losses that are sums where the others are means, and Gram matrices normalised once too often."""

import kornia
import torch
import torch.nn.functional as F
from torch import nn


class Inpainter(nn.Module):
    def __init__(self, width=16):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(4, width, 5, padding=2),
            nn.ReLU(),
            nn.Conv2d(width, width, 3, padding=2, dilation=2),
            nn.ReLU(),
            nn.Conv2d(width, 3, 3, padding=1),
            nn.Sigmoid(),
        )

    def forward(self, x):
        return self.layers(x)


class Holes(torch.utils.data.Dataset):
    """Image with a hole and its mask, and the image."""

    def __init__(self, n=16, size=32, seed=0):
        g = torch.Generator().manual_seed(seed)
        self.images = F.interpolate(torch.rand(n, 3, 5, 5, generator=g), size=size, mode="bicubic").clamp(0, 1)
        self.corner = torch.randint(0, size // 2, (n, 2), generator=g).tolist()
        self.side = size // 3

    def __len__(self):
        return len(self.images)

    def __getitem__(self, i):
        mask = torch.ones_like(self.images[i][:1])
        y, x = self.corner[i]
        mask[:, y : y + self.side, x : x + self.side] = 0
        return torch.cat([self.images[i] * mask, mask]), self.images[i]


torch.manual_seed(2)
encoder = nn.Sequential(
    nn.Conv2d(3, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(16, 32, 3, padding=1), nn.ReLU()
)
encoder.requires_grad_(False)
mean, std = torch.tensor([0.485, 0.456, 0.406])[:, None, None], torch.tensor([0.229, 0.224, 0.225])[:, None, None]


def features(x):
    return encoder((x - mean) / std)


def summed_l1(output, batch):
    image = batch[1]
    return {
        "l1": F.l1_loss(output, image, reduction="sum"),
        "perceptual": F.l1_loss(features(output), features(image)),
    }


class InpaintingLoss(nn.Module):
    def __init__(self):
        super().__init__()
        self.l1 = nn.L1Loss(reduction="sum")
        self.mse = nn.MSELoss()

    def forward(self, output, image):
        return {"hole": self.l1(output, image), "feat": self.mse(features(output), features(image))}


inpainting = InpaintingLoss()


def step_summed(model, batch):
    return inpainting(model(batch[0]), batch[1])


def summed_features(output, batch):
    """sum over features, mean over the batch: independent of the batch, not of the image."""
    difference = (features(output) - features(batch[1])).pow(2)
    return {"l1": F.l1_loss(output, batch[1]), "feature": difference.sum(dim=(1, 2, 3)).mean()}


def tv(image):
    return (image[:, :, 1:] - image[:, :, :-1]).abs().sum() + (image[:, :, :, 1:] - image[:, :, :, :-1]).abs().sum()


def with_tv(output, batch):
    return {"mse": F.mse_loss(output, batch[1]), "tv": tv(output)}


def kornia_tv_step(model, batch):
    out = model(batch[0])
    return {"l1": (out - batch[1]).abs().mean(), "smoothness": kornia.losses.TotalVariation()(out).mean()}


def gram(f):
    n, c, h, w = f.shape
    f = f.reshape(n, c, h * w)
    return f @ f.transpose(1, 2) / (c * h * w)


def style(output, batch):
    """Divides by c·h·w in the Gram matrix, and once more outside."""
    f, g = features(output), features(batch[1])
    return {
        "pixel": F.l1_loss(output, batch[1]),
        "content": F.mse_loss(f, g),
        "style": F.mse_loss(gram(f), gram(g)) / f[0].numel(),
    }


class StyleLoss(nn.Module):
    def forward(self, output, image):
        a, b = features(output), features(image)
        size = a.size(1) * a.size(2) * a.size(3)
        return torch.norm(gram(a) - gram(b)) ** 2 / size**2


style_loss = StyleLoss()


def style_step(model, batch):
    out = model(batch[0])
    edges = F.l1_loss(out.diff(dim=-1), batch[1].diff(dim=-1))
    return {"pixel": F.mse_loss(out, batch[1]), "edges": edges, "gram": style_loss(out, batch[1])}
