"""VQ-VAE with a codebook that follows the encoder by moving averages, not by a gradient."""

import torch
import torch.nn.functional as F
from torch import nn


class EMAQuantizer(nn.Module):
    def __init__(self, codes=32, dim=8, decay=0.99):
        super().__init__()
        self.decay = decay
        self.register_buffer("codebook", torch.randn(codes, dim) * 0.3)
        self.register_buffer("count", torch.ones(codes))
        self.register_buffer("total", self.codebook.clone())

    def forward(self, z):
        flat = z.permute(0, 2, 3, 1).flatten(0, 2)
        index = torch.cdist(flat, self.codebook).argmin(1)
        quantized = self.codebook[index].view(z.shape[0], *z.shape[2:], -1).permute(0, 3, 1, 2)
        if self.training:
            with torch.no_grad():
                onehot = F.one_hot(index, len(self.codebook)).float()
                self.count.mul_(self.decay).add_(onehot.sum(0), alpha=1 - self.decay)
                self.total.mul_(self.decay).add_(onehot.T @ flat, alpha=1 - self.decay)
                self.codebook.copy_(self.total / self.count.clamp(min=1e-3)[:, None])
        return z + (quantized - z).detach(), F.mse_loss(z, quantized.detach())


class VQVAE2(nn.Module):
    def __init__(self, width=16, codes=32):
        super().__init__()
        self.enc = nn.Sequential(nn.Conv2d(3, width, 4, 2, 1), nn.ReLU(), nn.Conv2d(width, 8, 4, 2, 1))
        self.quantize = EMAQuantizer(codes)
        self.dec = nn.Sequential(
            nn.ConvTranspose2d(8, width, 4, 2, 1), nn.ReLU(), nn.ConvTranspose2d(width, 3, 4, 2, 1)
        )

    def forward(self, x):
        z, commitment = self.quantize(self.enc(x))
        return self.dec(z), commitment


def textures(n=4, batch=8, size=16, seed=0):
    g = torch.Generator().manual_seed(seed)
    for _ in range(n):
        x = F.interpolate(torch.randn(batch, 3, 4, 4, generator=g), size=size, mode="bicubic")
        yield x, x


def losses(output, batch):
    return {"recon": F.mse_loss(output[0], batch[1]), "latent": output[1]}


def step(model, batch):
    out, latent = model(batch[0])
    return {"l1": (out - batch[0]).abs().mean(), "l2": (out - batch[0]).pow(2).mean(), "commit": latent}
