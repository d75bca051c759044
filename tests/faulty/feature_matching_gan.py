"""A GAN whose feature matching reads the features of the discriminator's step, where the fake was detached."""

import torch
import torch.nn.functional as F
from torch import nn


class Discriminator(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Conv1d(1, 8, 5, 2), nn.LeakyReLU(0.2), nn.Conv1d(8, 16, 5, 2), nn.LeakyReLU(0.2))
        self.score = nn.Conv1d(16, 1, 3)

    def forward(self, x):
        features = self.body(x)
        return self.score(features), features


class Vocoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.generator = nn.Sequential(
            nn.Conv1d(4, 16, 5, padding=2), nn.ReLU(), nn.Conv1d(16, 1, 5, padding=2), nn.Tanh()
        )
        self.discriminator = Discriminator()


def batches():
    for seed in range(3):
        generator = torch.Generator().manual_seed(seed)
        phase = torch.rand(4, 1, 1, generator=generator) * 6
        wave = torch.sin(torch.arange(64) * 0.3 + phase)
        yield torch.cat([wave, wave.roll(1, 2), wave.roll(2, 2), wave * 0], dim=1), wave


def step(model, batch):
    conditioning, real = batch
    real_score, real_features = model.discriminator(real)
    real_features = real_features.detach()
    fake = model.generator(conditioning)
    fake_score, fake_features = model.discriminator(fake.detach())  # fault: reused below
    return {
        "discriminator": {
            "real": F.relu(1 - real_score).mean(),
            "fake": F.relu(1 + fake_score).mean(),
        },
        "generator": {
            "adversarial": -model.discriminator(fake)[0].mean(),
            "feature_matching": F.l1_loss(fake_features, real_features),
        },
    }
