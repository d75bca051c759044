"""Data sets with degenerate samples, and healthy ones that look alike."""

import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, Dataset


def convolutions(out=3):
    return nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, out, 3, padding=1))


def picture(index, channels=3, size=16):
    return torch.rand(channels, size, size, generator=torch.Generator().manual_seed(index))


class SameEveryTime(Dataset):
    """The generator is seeded again for every sample."""

    def __len__(self):
        return 32

    def __getitem__(self, index):
        clean = picture(0)
        return clean.sqrt(), clean


class FailsSilently(Dataset):
    """Every fourth file cannot be read, and becomes zeros."""

    def __len__(self):
        return 32

    def __getitem__(self, index):
        image = torch.zeros(3, 16, 16) if index % 4 == 0 else picture(index)
        return {"input": image, "target": picture(index).sqrt()}


class WrongThreshold(Dataset):
    """Masks in 0–1, cut at 127."""

    def __init__(self, threshold=127, rare=False):
        self.threshold, self.rare = threshold, rare

    def __len__(self):
        return 32

    def __getitem__(self, index):
        mask = (picture(index, 1) > self.threshold).float()
        return picture(index), mask * (index % 4 == 0) if self.rare else mask


def sorted_classes():
    """ImageFolder's order, not shuffled."""
    samples = [(picture(index), index // 64) for index in range(256)]
    return DataLoader(samples, batch_size=8)


def not_numbers(batches=3, where="target"):
    for index in range(batches):
        image, depth = torch.stack([picture(index * 4 + k) for k in range(4)]), picture(index, 4)[:, None]
        (image if where == "input" else depth)[0, 0, 2, 2:5] = torch.nan
        yield image, depth


def pixel(output, batch):
    return {"l1": F.l1_loss(output, batch[1])}


def pixel_of_mapping(model, batch):
    return {"l1": F.l1_loss(model(batch["input"]), batch["target"])}


def segmentation(output, batch):
    probability = output.sigmoid()
    overlap = (2 * (probability * batch[1]).sum() + 1) / (probability.sum() + batch[1].sum() + 1)
    return {"bce": F.binary_cross_entropy_with_logits(output, batch[1]), "dice": 1 - overlap}


class Classes(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Flatten(), nn.Linear(768, 4))


def classes(output, batch):
    return {"ce": nn.CrossEntropyLoss()(output, batch[1])}


def measured_depth(output, batch):
    known = batch[1].isfinite()
    return {"depth": (output - batch[1])[known].abs().mean()}


class PatchCritic(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Conv2d(3, 8, 4, 2, 1), nn.LeakyReLU(0.2), nn.Conv2d(8, 1, 3, 1, 1))


def least_squares_gan():
    for index in range(3):
        yield torch.stack([picture(index * 8 + k) for k in range(8)]), torch.ones(8, 1, 8, 8)


class Conditioned(nn.Module):
    """A denoiser with a noise map, a time step and a condition that is dropped for one sample in four."""

    def __init__(self):
        super().__init__()
        self.conv, self.embed = nn.Conv2d(4, 3, 3, padding=1), nn.Linear(32, 3)

    def forward(self, noisy, sigma, condition):
        return self.conv(torch.cat([noisy, sigma], 1)) + self.embed(condition.mean(1))[:, :, None, None]


def conditions():
    for index in range(3):
        generator = torch.Generator().manual_seed(index)
        clean = torch.stack([picture(index * 8 + k) for k in range(8)])
        condition = torch.randn(8, 7, 32, generator=generator)
        condition[::4] = 0
        yield clean, torch.full((8, 1, 16, 16), 0.1), condition, torch.full((8,), 500)


def denoise(model, batch):
    clean, sigma, condition, _ = batch
    return {"noise": F.mse_loss(model(clean + sigma * torch.randn_like(clean), sigma, condition), clean)}


class Decoder(nn.Module):
    """An auto-decoder: the latents start at zero and are parameters; the batch only reserves their place."""

    def __init__(self):
        super().__init__()
        self.latent, self.net = nn.Parameter(torch.zeros(64)), nn.Linear(64, 10)

    def forward(self, zeros):
        return self.net(zeros + self.latent)


def latents():
    for index in range(3):
        yield torch.zeros(8, 64), torch.rand(8, 10, generator=torch.Generator().manual_seed(index))


def truth_table():
    for index in range(3):
        x = torch.randint(0, 2, (32, 2), generator=torch.Generator().manual_seed(index)).float()
        yield x, (x[:, :1] != x[:, 1:]).float()


class Gate(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 1))


def truth(output, batch):
    return {"bce": F.binary_cross_entropy_with_logits(output, batch[1])}
