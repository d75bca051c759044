"""Super-resolution with pixel, perceptual and adversarial terms, weighted as ESRGAN does."""

import torch
import torch.nn.functional as F
from torch import nn


class Residual(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(channels, channels, 3, padding=1),
        )

    def forward(self, x):
        return x + 0.2 * self.body(x)


class SRGAN(nn.Module):
    def __init__(self, channels=16):
        super().__init__()
        self.netG = nn.Sequential(
            nn.Conv2d(3, channels, 3, padding=1),
            Residual(channels),
            Residual(channels),
            nn.Conv2d(channels, 12, 3, padding=1),
            nn.PixelShuffle(2),
        )
        self.netD = nn.Sequential(
            nn.Conv2d(3, 16, 3, 2, 1),
            nn.LeakyReLU(0.2),
            nn.Conv2d(16, 32, 3, 2, 1),
            nn.BatchNorm2d(32),
            nn.LeakyReLU(0.2),
            nn.Conv2d(32, 1, 3, padding=1),
        )


class Features(nn.Module):
    """A frozen stack of random convolutions in the place of VGG."""

    def __init__(self):
        super().__init__()
        generator_state = torch.get_rng_state()
        torch.manual_seed(7)
        self.layers = nn.Sequential(
            nn.Conv2d(3, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(16, 32, 3, padding=1)
        )
        torch.set_rng_state(generator_state)
        self.requires_grad_(False).eval()
        self.register_buffer("mean", torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1))

    def forward(self, x):
        return self.layers((x - self.mean) / self.std)


features = Features()


def loader(batch_size):
    generator = torch.Generator().manual_seed(0)
    hr = F.interpolate(torch.rand(16, 3, 8, 8, generator=generator), size=32, mode="bicubic").clamp(0, 1)
    lr = F.avg_pool2d(hr, 2)
    data = torch.utils.data.TensorDataset(lr, hr)
    return torch.utils.data.DataLoader(data, batch_size=batch_size, shuffle=True)


def step(model, batch):
    lr, hr = batch
    sr = model.netG(lr)
    bce = nn.BCEWithLogitsLoss()

    fake_logits = model.netD(sr)
    generator = {
        "pixel": nn.L1Loss()(sr, hr),
        "perceptual": nn.L1Loss()(features(sr), features(hr.detach())),
        "adversarial": bce(fake_logits, torch.ones_like(fake_logits)),
    }
    real_logits, fake_logits = model.netD(hr), model.netD(sr.detach())
    discriminator = {
        "real": bce(real_logits, torch.ones_like(real_logits)),
        "fake": bce(fake_logits, torch.zeros_like(fake_logits)),
    }
    return {"generator": generator, "discriminator": discriminator}
