"""Denoising and inpainting where images are scaled in one place and not in the other."""

import kornia
import torch
import torch.nn as nn
import torch.nn.functional as F


class DnUNet(nn.Module):
    def __init__(self, width=16, head="tanh", channels=3):
        super().__init__()
        self.down1 = nn.Sequential(nn.Conv2d(channels, width, 3, padding=1), nn.LeakyReLU(0.1))
        self.down2 = nn.Sequential(nn.Conv2d(width, 2 * width, 3, stride=2, padding=1), nn.LeakyReLU(0.1))
        self.up = nn.Sequential(nn.ConvTranspose2d(2 * width, width, 2, stride=2), nn.LeakyReLU(0.1))
        self.last = nn.Conv2d(2 * width, channels, 3, padding=1)
        self.head = head

    def forward(self, x):
        skip = self.down1(x)
        y = self.last(torch.cat([skip, self.up(self.down2(skip))], dim=1))
        return {"tanh": torch.tanh, "sigmoid": torch.sigmoid, "linear": lambda t: t}[self.head](y)


class EightBitNet(DnUNet):
    """Takes and gives 0–255."""

    def __init__(self, width=16):
        super().__init__(width, "sigmoid")

    def forward(self, x):
        return super().forward(x / 255) * 255


class Noisy(torch.utils.data.Dataset):
    def __init__(self, n=16, size=32, seed=0, peak=1.0, sigma=0.1):
        g = torch.Generator().manual_seed(seed)
        clean = F.interpolate(torch.rand(n, 3, 8, 8, generator=g), size=size, mode="bilinear")
        clean[:, :, size // 4, :] = 1.0
        clean[:, :, :, size // 3] = 0.0
        noisy = (clean + sigma * torch.randn(clean.shape, generator=g)).clamp(0, 1)
        self.pairs = list(zip(noisy * peak, clean * peak))

    def __len__(self):
        return len(self.pairs)

    def __getitem__(self, i):
        return self.pairs[i]


def gradients(x):
    return x[..., 1:, :-1] - x[..., :-1, :-1], x[..., :-1, 1:] - x[..., :-1, :-1]


def tanh_terms(output, batch):
    clean = batch[1]
    edges = sum((a - b).abs().mean() for a, b in zip(gradients(output), gradients(clean)))
    return {"rec": F.mse_loss(output, clean), "edges": edges}


class Reconstruction(nn.Module):
    def __init__(self, alpha=0.84):
        super().__init__()
        self.l1, self.ssim, self.alpha = nn.L1Loss(), kornia.losses.SSIMLoss(7), alpha

    def forward(self, x, y):
        return {"l1": self.l1(x, y), "ssim": self.ssim(x * 0.5 + 0.5, y)}


reconstruction = Reconstruction()


def tanh_step(model, batch):
    noisy, clean = batch
    return reconstruction(model(noisy), clean)


def pixels_in_255(output, batch):
    clean = batch[1]
    ssim = kornia.losses.ssim_loss(output / 255, clean / 255, window_size=7)
    return {"mse": F.mse_loss(output, clean), "ssim": ssim}


def hole_and_valid(model, batch):
    """Partial-convolution inpainting's L1 terms with their published weights, on 0–255."""
    noisy, clean = batch
    mask = torch.ones_like(clean)
    mask[..., 8:16, 8:16] = 0
    out = model(noisy * mask)
    composed = mask * clean + (1 - mask) * out
    smooth = kornia.losses.total_variation(composed / 255, reduction="mean").mean()
    return {"valid": F.l1_loss(mask * out, mask * clean), "tv": smooth}


def wrong_data_range(output, batch):
    ssim = kornia.metrics.ssim(output, batch[1], 7, max_val=255.0)
    return {"l1": F.l1_loss(output, batch[1]), "dssim": (1 - ssim).mean() / 2}


def gaussian(size=7, sigma=1.5):
    g = torch.exp(-((torch.arange(size) - size // 2) ** 2) / (2 * sigma**2))
    g = g / g.sum()
    return (g[:, None] * g[None, :]).expand(3, 1, size, size).contiguous()


class SSIM(nn.Module):
    """pytorch-ssim style, with a data_range argument."""

    def __init__(self, data_range=255):
        super().__init__()
        self.register_buffer("window", gaussian())
        self.c1, self.c2 = (0.01 * data_range) ** 2, (0.03 * data_range) ** 2

    def forward(self, x, y):
        blur = lambda t: F.conv2d(t, self.window, groups=3)  # noqa: E731
        mx, my = blur(x), blur(y)
        vx, vy, cov = blur(x * x) - mx**2, blur(y * y) - my**2, blur(x * y) - mx * my
        score = (2 * mx * my + self.c1) * (2 * cov + self.c2) / ((mx**2 + my**2 + self.c1) * (vx + vy + self.c2))
        return score.mean()


ssim_255 = SSIM(data_range=255)
ssim_1 = SSIM(data_range=1.0)


def ssim_255_step(model, batch):
    out = model(batch[0])
    return {"mse": (out - batch[1]).pow(2).mean(), "ssim": 1 - ssim_255(out, batch[1])}


def scaled_twice(output, batch):
    """`to_255` was already done by the data set."""
    to_255 = lambda t: t * 255.0  # noqa: E731
    return {
        "l1": F.l1_loss(output / 255, batch[1] / 255),
        "ssim": kornia.losses.ssim_loss(to_255(output), to_255(batch[1]), 7, max_val=255.0),
    }


def scaled_twice_mse(model, batch):
    noisy, clean = batch
    out = model(noisy)
    perceptual_scale = lambda t: t * 255.0  # noqa: E731
    mse = F.mse_loss(perceptual_scale(out), perceptual_scale(clean))
    return {
        "mse": mse,
        "edges": sum((a - b).abs().mean() for a, b in zip(gradients(out / 255), gradients(clean / 255))),
    }
