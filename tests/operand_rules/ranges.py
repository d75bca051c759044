"""Outputs and targets in ranges that do not meet, and some that only look so."""

import kornia.color
import torch
import torch.nn.functional as F
from torch import nn


def photographs(seed, size=16):
    generator = torch.Generator().manual_seed(seed)
    return F.interpolate(torch.rand(4, 3, 6, 6, generator=generator), size=size, mode="bilinear")


class Photos(torch.utils.data.Dataset):
    """Grey and colour in [0, 1], as torchvision's ToTensor gives them; `signed` adds Normalize(0.5, 0.5)."""

    def __init__(self, signed=False, scale=1.0):
        self.signed, self.scale = signed, scale

    def __len__(self):
        return 8

    def __getitem__(self, index):
        image = photographs(index)[0] * self.scale
        image = 2 * image - 1 if self.signed else image
        return image.mean(0, keepdim=True), image


class Colorizer(nn.Module):
    def __init__(self, last="tanh", channels=3):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(1, 12, 3, padding=1), nn.ReLU(), nn.Conv2d(12, channels, 3, padding=1))
        activations = {"tanh": nn.Tanh(), "sigmoid": nn.Sigmoid(), "relu": nn.ReLU(), "linear": nn.Identity()}
        self.last = activations[last]

    def forward(self, grey):
        return self.last(self.body(grey))


class ReconstructionLoss(nn.Module):
    def __init__(self, weight=0.1):
        super().__init__()
        self.l1, self.weight = nn.L1Loss(), weight

    def forward(self, output, batch):
        _, target = batch
        smoothness = (output[..., 1:] - output[..., :-1]).abs().mean()
        return {"l1": self.l1(output, target), "tv": self.weight * smoothness}  # fault: a criterion


reconstruction = ReconstructionLoss()


def pix2pix(model, batch):
    grey, color = batch
    fake = model(grey)
    return {"generator": {"pixel": (fake - color).abs().mean(), "flat": fake.var(0).mean()}}  # fault: by hand


def rescaled(output, batch):
    image = (output + 1) / 2
    return {"mse": F.mse_loss(image, batch[1]), "l1": F.l1_loss(image, batch[1])}


def plain(output, batch):
    return {"mse": F.mse_loss(output, batch[1])}  # fault: plain


def one_side_scaled(output, batch):
    """LAB from the data set is scaled there; that of the output is not."""
    target = kornia.color.rgb_to_lab(batch[1]) / torch.tensor([100.0, 128.0, 128.0]).view(1, 3, 1, 1)
    return {
        "lab": F.mse_loss(kornia.color.rgb_to_lab(output), target),  # fault: one side scaled
        "rgb": F.mse_loss(output, batch[1]),
    }


def both_sides_scaled(output, batch):
    scale = torch.tensor([100.0, 128.0, 128.0]).view(1, 3, 1, 1)
    predicted, target = (kornia.color.rgb_to_lab(image) / scale for image in (output, batch[1]))
    return {"lab": F.mse_loss(predicted, target), "rgb": F.mse_loss(output, batch[1])}


def eight_bit_lab(model, batch):
    """The target as OpenCV stores it in 8 bits, the prediction as kornia has it."""
    output, (_, image) = model(batch[0]), batch
    lightness, a, b = kornia.color.rgb_to_lab(image).split(1, dim=1)
    target = torch.cat([lightness * 255 / 100, a + 128, b + 128], dim=1).round()
    predicted = kornia.color.rgb_to_lab(output)
    return {"lab": (predicted - target).pow(2).mean()}  # fault: 8-bit LAB


def chroma(model, batch):
    """The chroma of LAB, signed, from whatever the last activation leaves."""
    ab = kornia.color.rgb_to_lab(batch[1])[:, 1:]
    predicted = model(batch[0])
    return {"ab": F.smooth_l1_loss(predicted, ab), "size": predicted.pow(2).mean()}  # fault: chroma


def scaled_chroma(model, batch):
    ab = kornia.color.rgb_to_lab(batch[1])[:, 1:]
    return {"ab": F.l1_loss(110 * model(batch[0]), ab)}


class Regressor(nn.Module):
    """A vector in, a number out."""

    def __init__(self, last="sigmoid"):
        super().__init__()
        self.trunk = nn.Sequential(nn.Linear(6, 16), nn.GELU(), nn.Linear(16, 1))
        self.last = {"sigmoid": torch.sigmoid, "softplus": F.softplus, "exp": torch.exp}[last]

    def forward(self, x):
        return self.last(self.trunk(x)).squeeze(-1)


def standardized():
    for seed in range(3):
        x = torch.randn(64, 6, generator=torch.Generator().manual_seed(seed))
        y = x.sum(1)
        yield {"input": x, "target": (y - y.mean()) / y.std()}


def depths(unknown=None):
    """Metres, up to 80; where nothing came back there is a marker."""
    for seed in range(3):
        x = torch.rand(64, 6, generator=torch.Generator().manual_seed(seed))
        y = 80 * x.prod(1) ** 0.3
        yield {"input": x, "target": torch.where(x[:, 0] < 0.5, unknown, y) if unknown is not None else y}


def overshooting():
    """Resized with a cubic kernel, which goes a little beyond black and white."""
    for seed in range(3):
        generator = torch.Generator().manual_seed(seed)
        mask = (torch.rand(4, 1, 8, 8, generator=generator) > 0.5).float()
        target = F.interpolate(mask, size=16, mode="bicubic")
        yield target + 0.1 * torch.randn(target.shape, generator=generator), target


def make_regression(power):
    def regression(output, batch):
        error = output - batch["target"]
        data = (error.abs() ** power).mean()  # fault: closure
        return {"data": data, "size": output.square().mean()}

    return regression


regression = make_regression(2)


def log_regression(model, batch):
    return {"log": F.huber_loss(model(batch["input"]), batch["target"].log() - 3)}  # fault: logarithms


def masked(output, batch):
    known = (batch["target"] >= 0).float()
    return {"depth": (F.l1_loss(output, batch["target"], reduction="none") * known).sum() / known.sum()}


class VectorQuantizer(nn.Module):
    """An encoder that ends in a ReLU, and signed codes that follow it."""

    def __init__(self, codes=16, dim=4):
        super().__init__()
        self.encoder = nn.Sequential(nn.Conv2d(1, dim, 4, 4), nn.ReLU())
        self.decoder = nn.ConvTranspose2d(dim, 3, 4, 4)
        self.codes = nn.Parameter(torch.randn(codes, dim))

    def forward(self, grey):
        z = self.encoder(grey).permute(0, 2, 3, 1)
        nearest = torch.cdist(z.reshape(-1, z.shape[-1]), self.codes).argmin(1).view(z.shape[:-1])
        return z, self.codes[nearest]


def commitment(model, batch):
    z, quantized = model(batch[0])
    image = model.decoder((z + (quantized - z).detach()).permute(0, 3, 1, 2))
    return {
        "reconstruction": F.mse_loss(image, batch[1]),
        "codebook": F.mse_loss(quantized, z.detach()),
        "commitment": F.mse_loss(z, quantized.detach()),
    }
