"""Losses that are fine until one black, silent, empty or perfect sample comes along."""

import torch
import torch.nn.functional as F
from torch import nn


class Denoiser(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Conv2d(3, 16, 3, padding=1), nn.ReLU(), nn.Conv2d(16, 3, 3, padding=1))

    def forward(self, image):
        return self.net(image)


class Wave(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Conv1d(1, 8, 9, padding=4, bias=False), nn.Tanh(), nn.Conv1d(8, 1, 9, padding=4))

    def forward(self, wave):
        return self.net(wave[:, None])[:, 0]


class Tagger(nn.Module):
    def __init__(self):
        super().__init__()
        self.trunk = nn.Linear(12, 32)
        self.classes, self.scores = nn.Linear(32, 5), nn.Linear(32, 5)

    def forward(self, x):
        h = self.trunk(x).relu()
        return self.classes(h), self.scores(h)


def batches(holes=False):
    for seed in range(4):
        generator = torch.Generator().manual_seed(seed)
        clean = F.interpolate(torch.rand(4, 3, 6, 6, generator=generator), size=16, mode="bilinear")
        clean[:, :, :2] = 0  # a dark edge
        noisy = (clean + 0.1 * torch.randn(clean.shape, generator=generator)).clamp(0, 1)
        yield {"input": noisy, "target": clean, "mask": torch.rand(4, 1, 16, 16, generator=generator) > 0.3}


def tones():
    for seed in range(4):
        generator = torch.Generator().manual_seed(seed)
        frequency = 0.02 + 0.1 * torch.rand(4, 1, generator=generator)
        clean = torch.sin(2 * torch.pi * frequency * torch.arange(256))
        yield clean + 0.1 * torch.randn(4, 256, generator=generator), clean


def partly_labelled(labelled=0.25):
    for seed in range(4):
        generator = torch.Generator().manual_seed(seed)
        y = torch.randint(5, (16,), generator=generator)
        y[torch.rand(16, generator=generator) > labelled] = -1
        yield torch.randn(16, 12, generator=generator), y


def root_of_squares(output, batch):
    error = ((output - batch["target"]) ** 2).sum(1)
    return {"distance": error.sqrt().mean(), "l1": F.l1_loss(output, batch["target"])}  # fault: sqrt


def relative(output, batch):
    brightness = batch["target"].mean((1, 2, 3))
    error = (output - batch["target"]).abs().mean((1, 2, 3))
    return {"relative": (error / brightness).mean(), "l1": error.mean()}  # fault: div


def per_sample_mask(output, batch):
    error = (output - batch["target"]).abs().mean(1, keepdim=True) * batch["mask"]
    per_sample = error.sum((1, 2, 3)) / batch["mask"].sum((1, 2, 3))  # fault: empty
    return {"masked": per_sample.mean(), "l1": F.l1_loss(output, batch["target"])}


def masked_mean(output, batch):
    error = (output - batch["target"]).abs().mean(1, keepdim=True) * batch["mask"]
    return {"masked": error.sum() / batch["mask"].sum(), "l1": F.l1_loss(output, batch["target"])}


def log_spectrum(output, batch):
    return {"spectrum": F.l1_loss(log_magnitude(output), log_magnitude(batch[1])), "l1": F.l1_loss(output, batch[1])}


def log_magnitude(wave):
    spectrum = torch.stft(wave, 64, window=torch.hann_window(64), return_complex=True)
    return spectrum.abs().log()  # fault: log


def supervised(output, batch):
    classes, scores = output
    return {"ce": F.cross_entropy(classes, batch[1], ignore_index=-1), "size": scores.square().mean()}  # fault: ce


def nearest(output, batch):
    z, _ = output
    distances = ((z[:, None] - z[None]) ** 2).sum(-1)
    distances = distances + 1e9 * torch.eye(len(z))
    return {"spread": -distances.min(1).values.sqrt().mean(), "size": z.square().mean()}  # fault: equal
