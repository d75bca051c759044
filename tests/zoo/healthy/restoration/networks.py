"""Restoration as it is published: residual heads that start at zero, L1 with MSE, several scales, perceptual losses."""

import kornia
import torch
import torch.nn.functional as F
import torchvision
from torch import nn


class DnCNN(nn.Module):
    """Predicts the noise; the last layer starts at zero, so that it begins as the identity."""

    def __init__(self, width=16, depth=3, channels=3):
        super().__init__()
        layers = [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU()]
        for _ in range(depth):
            layers += [nn.Conv2d(width, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
        self.net = nn.Sequential(*layers, nn.Conv2d(width, channels, 3, padding=1))
        nn.init.zeros_(self.net[-1].weight)
        nn.init.zeros_(self.net[-1].bias)

    def forward(self, x):
        return x - self.net(x)


class Edsr(nn.Module):
    def __init__(self, width=16, scale=2, blocks=2, res_scale=0.1):
        super().__init__()
        self.head = nn.Conv2d(3, width, 3, padding=1)
        self.body = nn.ModuleList(
            nn.Sequential(nn.Conv2d(width, width, 3, padding=1), nn.ReLU(), nn.Conv2d(width, width, 3, padding=1))
            for _ in range(blocks)
        )
        self.tail = nn.Sequential(nn.Conv2d(width, 3 * scale**2, 3, padding=1), nn.PixelShuffle(scale))
        self.scale, self.res_scale = scale, res_scale

    def forward(self, x):
        h = self.head(x)
        for block in self.body:
            h = h + self.res_scale * block(h)
        return self.tail(h) + F.interpolate(x, scale_factor=self.scale, mode="bicubic")


class MultiScale(nn.Module):
    """MIMO-UNet style: an image at each of three scales."""

    def __init__(self, width=12):
        super().__init__()
        self.enc = nn.ModuleList(
            [nn.Conv2d(3, width, 3, padding=1), nn.Conv2d(width, width, 3, 2, 1), nn.Conv2d(width, width, 3, 2, 1)]
        )
        self.heads = nn.ModuleList([nn.Conv2d(width, 3, 3, padding=1) for _ in range(3)])
        self.up = nn.ModuleList([nn.ConvTranspose2d(width, width, 2, 2) for _ in range(2)])

    def forward(self, x):
        f0 = F.gelu(self.enc[0](x))
        f1 = F.gelu(self.enc[1](f0))
        f2 = F.gelu(self.enc[2](f1))
        f1 = f1 + self.up[0](f2)
        f0 = f0 + self.up[1](f1)
        return [self.heads[0](f0), self.heads[1](f1), self.heads[2](f2)]


class Degraded(torch.utils.data.Dataset):
    def __init__(self, n=24, size=32, seed=0, kind="noise", peak=1.0):
        g = torch.Generator().manual_seed(seed)
        clean = F.interpolate(torch.rand(n, 3, 8, 8, generator=g), size=size, mode="bicubic").clamp(0, 1)
        if kind == "noise":
            degraded = clean + 0.1 * torch.randn(clean.shape, generator=g)
        elif kind == "blur":
            degraded = kornia.filters.gaussian_blur2d(clean, (5, 5), (1.5, 1.5))
        else:
            degraded = F.interpolate(clean, scale_factor=0.5, mode="bicubic", antialias=True)
        self.pairs = list(zip(degraded * peak, clean * peak))

    def __len__(self):
        return len(self.pairs)

    def __getitem__(self, i):
        return self.pairs[i]


MEAN, STD = torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1), torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1)
torch.manual_seed(1)
backbone = torchvision.models.squeezenet1_1(weights=None).features[:5].eval().requires_grad_(False)


def l1_and_mse(output, batch):
    return {"l1": F.l1_loss(output, batch[1]), "mse": F.mse_loss(output, batch[1])}


def charbonnier_step(model, batch):
    noisy, clean = batch
    out = model(noisy)
    laplace = lambda t: kornia.filters.laplacian(t, 3, normalized=False)  # noqa: E731
    return {
        "charbonnier": ((out - clean).pow(2) + 1e-6).sqrt().mean(),
        "edge": ((laplace(out) - laplace(clean)).pow(2) + 1e-6).sqrt().mean(),
    }


def perceptual_sr(output, batch):
    hr = batch[1]
    f, g = backbone((output - MEAN) / STD), backbone((hr - MEAN) / STD)
    return {"pixel": F.l1_loss(output, hr), "perceptual": F.l1_loss(f, g.detach())}


class VGGStyle(nn.Module):
    """Normalises inside; keeps the loss network frozen and in eval mode."""

    def __init__(self):
        super().__init__()
        self.net = backbone
        self.register_buffer("mean", MEAN)
        self.register_buffer("std", STD)

    def train(self, mode=True):
        return super().train(False)

    def forward(self, x, y):
        x, y = self.net((x - self.mean) / self.std), self.net((y - self.mean) / self.std)
        gram = lambda f: torch.einsum("nchw,ndhw->ncd", f, f) / f[0].numel()  # noqa: E731
        return F.mse_loss(x, y), F.l1_loss(gram(x), gram(y))


vgg_style = VGGStyle()


def style_step(model, batch):
    lr, hr = batch
    sr = model(lr)
    content, style = vgg_style(sr.clamp(0, 1), hr)
    return {"l1": F.l1_loss(sr, hr), "content": content, "style": style}


def multi_scale(output, batch):
    sharp = batch[1]
    targets = [sharp, F.interpolate(sharp, scale_factor=0.5), F.interpolate(sharp, scale_factor=0.25)]
    content = {f"content_{i}": F.l1_loss(o, t) for i, (o, t) in enumerate(zip(output, targets))}
    spectra = [torch.view_as_real(torch.fft.rfft2(o)) for o in (output[0], sharp)]
    return content | {"frequency": F.l1_loss(*spectra)}


def tv_as_a_regularizer(output, batch):
    return {"mse": F.mse_loss(output, batch[1]), "tv": kornia.losses.total_variation(output).mean()}


def ssim_mix(model, batch):
    """0.84 · MS-SSIM-like + 0.16 · L1 (Zhao et al. 2017)."""
    out = model(batch[0])
    ssim = sum(kornia.losses.ssim_loss(F.avg_pool2d(out, k), F.avg_pool2d(batch[1], k), 5) for k in (1, 2)) / 2
    return {"ssim": ssim, "l1": F.l1_loss(out, batch[1])}


def lpips_plus_l1_map(model, batch):
    """taming's way: a perceptual number per image is added to a map of pixel errors, by broadcasting."""
    x = model(batch[0])
    f, g = backbone((x - MEAN) / STD), backbone((batch[1] - MEAN) / STD)
    p_loss = (f - g).pow(2).mean((1, 2, 3), keepdim=True)
    rec = (x - batch[1]).abs() + 0.5 * p_loss
    return {"nll": rec.mean(), "tv": (x.diff(dim=-1).abs().mean() + x.diff(dim=-2).abs().mean())}


def noise_to_noise(model, batch):
    """The target is as noisy as the input."""
    noisy, clean = batch
    other = clean + 0.1 * torch.randn_like(clean)
    out = model(noisy)
    swapped = model(other)
    return {"n2n": F.mse_loss(out, other), "consistency": F.mse_loss(out, swapped.detach())}


def l1_in_255(output, batch):
    """Everything is 0–255, as BasicSR did at first: nothing else has another unit."""
    return {"l1": F.l1_loss(output, batch[1]), "gradient": F.l1_loss(output.diff(dim=-1), batch[1].diff(dim=-1))}
