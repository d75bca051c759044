"""A convolutional autoencoder whose code is used by a classifier: gradient flow in another idiom."""

import torch
import torch.nn.functional as F
from torch import nn


class AutoEncoder(nn.Module):
    def __init__(self, width=8, code=12, classes=3, blind=False, gain=1.0, with_extra=False):
        super().__init__()
        self.encode = nn.Sequential(
            nn.Conv2d(1, width, 3, 2, 1),
            nn.LeakyReLU(0.1),
            nn.Conv2d(width, 2 * width, 3, 2, 1),
            nn.LeakyReLU(0.1),
            nn.Flatten(),
            nn.Linear(32 * width, code),
        )
        self.decode = nn.Sequential(nn.Linear(code, 128), nn.ReLU(), nn.Linear(128, 256))
        self.classify = nn.Linear(code, classes)
        if with_extra:
            self.projection = nn.Linear(code, code)
        self.blind, self.gain = blind, gain

    def forward(self, x):
        z = self.encode(x)
        seen = z * 0 if self.blind else z
        image = torch.tanh(self.gain * self.decode(seen)).view(-1, 1, 16, 16)
        return image, self.classify(seen), seen


class Shapes(torch.utils.data.Dataset):
    def __init__(self, n=36, seed=0):
        g = torch.Generator().manual_seed(seed)
        self.y = torch.randint(0, 3, (n,), generator=g)
        v, u = torch.meshgrid(torch.linspace(-1, 1, 16), torch.linspace(-1, 1, 16), indexing="ij")
        r = 0.3 + 0.4 * torch.rand(n, 1, 1, generator=g)
        disc, box, bar = (u**2 + v**2).sqrt() - r, torch.maximum(u.abs(), v.abs()) - r, u.abs() - r / 2
        self.x = torch.stack([disc, box, bar], 1)[torch.arange(n), self.y].neg().mul(8).tanh()[:, None]

    def __len__(self):
        return len(self.x)

    def __getitem__(self, i):
        return self.x[i], self.y[i]


def step(model, batch):
    x, y = batch
    image, logits, z = model(x)
    return {"image": F.mse_loss(image, x), "class": F.cross_entropy(logits, y), "code": 0.01 * z.pow(2).mean()}


def code_detached(model, batch):
    x, y = batch
    image, _, z = model(x)
    centred = z.detach() - z.detach().mean(0)
    cov = centred.T @ centred / len(z)
    off = cov - torch.diag(cov.diagonal())
    return {"image": F.mse_loss(image, x), "decorrelate": off.pow(2).mean()}


def histogram(model, batch):
    """Grey-value histograms have no gradient."""
    x, y = batch
    image, logits, _ = model(x)
    h = torch.histc(image.detach(), 16, -1, 1) / image.numel()
    t = torch.histc(x, 16, -1, 1) / x.numel()
    return {"image": F.l1_loss(image, x), "histogram": (h - t).abs().sum()}


def sign(model, batch):
    x, y = batch
    image, logits, _ = model(x)
    return {"image": F.l1_loss(image, x), "binary": F.mse_loss(torch.sign(image), torch.sign(x))}


def clipped(model, batch):
    """The image is brought to [0, 1] by a clamp, after a tanh that is mostly below."""
    x, y = batch
    image, logits, _ = model(x)
    bright = (image - 1.0).clamp(0, 1)
    return {
        "class": F.cross_entropy(logits, y),
        "bright": F.l1_loss(bright, (x + 1) / 2),
        "image": F.mse_loss(image, x),
    }


def compare_with_itself(model, batch):
    x, y = batch
    image, logits, z = model(x)
    again = image
    return {"image": F.mse_loss(image, x), "cycle": (image - again).abs().mean()}


def likelihood(model, batch):
    """The criterion of a library that maximises."""
    x, y = batch
    image, logits, _ = model(x)
    score = -((image - x) ** 2).mean((1, 2, 3))
    return {"fit": score.mean(), "class": F.cross_entropy(logits, y)}


def offset(model, batch):
    """The target is still in [0, 255], centred by hand with a typo."""
    x, y = batch
    image, logits, _ = model(x)
    return {"image": (image - x + 0.25).pow(2).mean(), "class": F.cross_entropy(logits, y)}


def one_hot_softmax(model, batch):
    x, y = batch
    image, logits, _ = model(x)
    return {"image": F.mse_loss(image, x), "class": nn.CrossEntropyLoss()(nn.Softmax(dim=1)(logits), y)}


def flat_class(model, batch):
    x, y = batch
    image, logits, _ = model(x)
    energy = (image**2).mean((2, 3))
    return {"image": F.mse_loss(image, x), "energy": (energy - (x**2).mean((1, 2, 3))).abs().mean()}
