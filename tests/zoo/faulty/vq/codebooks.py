"""VQ-VAEs whose codebook is not trained, or not heard beside a summed reconstruction."""

import torch
import torch.nn.functional as F
from torch import nn


class Quantizer(nn.Module):
    def __init__(self, n_e, dim, after_straight_through=False):
        super().__init__()
        self.codebook = nn.Embedding(n_e, dim)
        nn.init.normal_(self.codebook.weight, std=0.3)
        self.after_straight_through = after_straight_through

    def forward(self, z):
        b, c, h, w = z.shape
        flat = z.movedim(1, -1).reshape(-1, c)
        index = torch.cdist(flat, self.codebook.weight).argmin(1)
        z_q = self.codebook(index).view(b, h, w, c).movedim(-1, 1)
        if self.after_straight_through:
            z_q = z + (z_q - z).detach()
        codebook_loss = ((z_q - z.detach()) ** 2).mean()
        commitment = ((z_q.detach() - z) ** 2).mean()
        if not self.after_straight_through:
            z_q = z + (z_q - z).detach()
        return z_q, codebook_loss, commitment


class VQVAE(nn.Module):
    def __init__(self, n_e=24, dim=8, width=16, after_straight_through=False):
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Conv2d(3, width, 4, 2, 1),
            nn.ReLU(),
            nn.Conv2d(width, width, 4, 2, 1),
            nn.ReLU(),
            nn.Conv2d(width, dim, 1),
        )
        self.vq = Quantizer(n_e, dim, after_straight_through)
        self.decoder = nn.Sequential(
            nn.ConvTranspose2d(dim, width, 4, 2, 1), nn.ReLU(), nn.ConvTranspose2d(width, 3, 4, 2, 1)
        )

    def forward(self, x):
        z_q, codebook_loss, commitment = self.vq(self.encoder(x))
        return self.decoder(z_q), codebook_loss, commitment


def faces(n=4, batch=8, size=16, seed=0):
    g = torch.Generator().manual_seed(seed)
    for _ in range(n):
        x = F.interpolate(torch.randn(batch, 3, 4, 4, generator=g), size=size, mode="bicubic")
        yield x, x


def losses(output, batch):
    x_hat, codebook, commitment = output
    return {"recon": F.mse_loss(x_hat, batch[1]), "codebook": codebook, "commitment": commitment}


def step(model, batch):
    x = batch[0]
    z = model.encoder(x)
    z_q, codebook, commitment = model.vq(z)
    return {"l1": (model.decoder(z_q) - x).abs().mean(), "vq": codebook, "commit": commitment}


def summed(output, batch):
    x_hat, codebook, commitment = output
    return {
        "recon": F.mse_loss(x_hat, batch[1], reduction="sum"),
        "codebook": codebook,
        "commitment": commitment,
    }


def summed_step(model, batch):
    """Summed over pixels, averaged over the batch, as in many VAE repositories."""
    x = batch[0]
    x_hat, codebook, commitment = model(x)
    return {"nll": (x_hat - x).abs().sum(dim=[1, 2, 3]).mean(), "vq": codebook + 0.25 * commitment}
