"""VQ-VAE (van den Oord et al. 2017): straight-through codes, a codebook and a commitment term."""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Output(NamedTuple):
    reconstruction: Tensor
    codebook_loss: Tensor
    commitment_loss: Tensor
    perplexity: Tensor


class VectorQuantizer(nn.Module):
    def __init__(self, codes, dim):
        super().__init__()
        self.embedding = nn.Embedding(codes, dim)
        self.embedding.weight.data.uniform_(-1 / codes, 1 / codes)

    def forward(self, z):
        flat = z.permute(0, 2, 3, 1).reshape(-1, z.shape[1])
        distances = (
            flat.pow(2).sum(1, keepdim=True)
            - 2 * flat @ self.embedding.weight.t()
            + self.embedding.weight.pow(2).sum(1)
        )
        indices = distances.argmin(1)
        quantized = self.embedding(indices).view(z.shape[0], *z.shape[2:], -1).permute(0, 3, 1, 2)
        codebook = F.mse_loss(quantized, z.detach())
        commitment = F.mse_loss(z, quantized.detach())
        usage = F.one_hot(indices, self.embedding.num_embeddings).float().mean(0)
        perplexity = torch.exp(-(usage * (usage + 1e-10).log()).sum())
        return z + (quantized - z).detach(), codebook, commitment, perplexity


class VQVAE(nn.Module):
    def __init__(self, codes=32, dim=8):
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Conv2d(3, 16, 4, 2, 1), nn.ReLU(), nn.Conv2d(16, 16, 4, 2, 1), nn.ReLU(), nn.Conv2d(16, dim, 1)
        )
        self.quantizer = VectorQuantizer(codes, dim)
        self.decoder = nn.Sequential(
            nn.ConvTranspose2d(dim, 16, 4, 2, 1), nn.ReLU(), nn.ConvTranspose2d(16, 3, 4, 2, 1)
        )

    def forward(self, x):
        quantized, codebook, commitment, perplexity = self.quantizer(self.encoder(x))
        return Output(self.decoder(quantized), codebook, commitment, perplexity)


def batches():
    for seed in range(4):
        generator = torch.Generator().manual_seed(seed)
        yield F.interpolate(torch.rand(8, 3, 4, 4, generator=generator), size=16, mode="bilinear")


def terms(output, batch):
    return {
        "reconstruction": F.mse_loss(output.reconstruction, batch) / 0.06,  # the variance of the data
        "codebook": output.codebook_loss,
        "commitment": output.commitment_loss,
    }
