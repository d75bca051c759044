"""Camera pipeline: ΔE, which runs to 100, added to losses on [0, 1]; once so, and once through NumPy."""

import kornia
import torch
import torch.nn.functional as F
from torch import nn


class RawToRgb(nn.Module):
    """4-channel Bayer planes in, RGB of twice the size out."""

    def __init__(self, width=24):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(4, width, 3, padding=1), nn.ReLU(), nn.Conv2d(width, width, 3, padding=1), nn.ReLU()
        )
        self.up = nn.Sequential(nn.Conv2d(width, 12, 3, padding=1), nn.PixelShuffle(2))

    def forward(self, bayer):
        return torch.sigmoid(self.up(self.body(bayer)))


def bayer_batches(n=4, batch=4, size=24, seed=0):
    g = torch.Generator().manual_seed(seed)
    for _ in range(n):
        rgb = F.interpolate(torch.rand(batch, 3, 6, 6, generator=g), size=size, mode="bicubic").clamp(0.02, 0.98)
        r, gr, gb, b = rgb[:, 0, ::2, ::2], rgb[:, 1, ::2, 1::2], rgb[:, 1, 1::2, ::2], rgb[:, 2, 1::2, 1::2]
        yield torch.stack([r, gr, gb, b], 1), rgb


def delta_e(x, y):
    d = kornia.color.rgb_to_lab(x) - kornia.color.rgb_to_lab(y)
    return torch.sqrt(d.pow(2).sum(dim=1) + 1e-6).mean()


def terms(output, batch):
    rgb = batch[1]
    return {
        "l1": F.l1_loss(output, rgb),
        "ssim": kornia.losses.ssim_loss(output, rgb, 7),
        "deltaE": delta_e(output, rgb),
    }


class DeltaE76(nn.Module):
    def forward(self, prediction, reference):
        lab, ref = kornia.color.rgb_to_lab(prediction), kornia.color.rgb_to_lab(reference)
        return (lab - ref).norm(dim=1).mean()


delta_e76 = DeltaE76()


def step(model, batch):
    bayer, rgb = batch
    out = model(bayer)
    return {"mse": F.mse_loss(out, rgb), "delta_e": delta_e76(out, rgb)}


def numpy_lab(image):
    return kornia.color.rgb_to_lab(image.detach().cpu()).numpy()


def delta_e_with_numpy(output, batch):
    difference = numpy_lab(output) - numpy_lab(batch[1])
    value = float(((difference**2).sum(1) ** 0.5).mean()) / 100
    return {"l1": F.l1_loss(output, batch[1]), "delta_e": torch.tensor(value)}


class ColorMetric:
    """What was written to be a metric became a loss."""

    def __call__(self, prediction, reference):
        a, b = prediction.detach().numpy(), reference.numpy()
        return torch.from_numpy(abs(a.mean((2, 3)) - b.mean((2, 3)))).mean()


color_metric = ColorMetric()


def step_with_metric(model, batch):
    out = model(batch[0])
    return {"charbonnier": ((out - batch[1]) ** 2 + 1e-6).sqrt().mean(), "color": color_metric(out, batch[1])}
