"""A tiny radiance field: coarse and fine rendering against the same pixels, and an opacity prior."""

import torch
import torch.nn.functional as F
from torch import nn


class Field(nn.Module):
    def __init__(self, frequencies=4, width=32):
        super().__init__()
        self.register_buffer("frequencies", 2.0 ** torch.arange(frequencies))
        self.trunk = nn.Sequential(nn.Linear(6 * frequencies, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU())
        self.sigma = nn.Linear(width, 1)
        self.rgb = nn.Linear(width, 3)

    def forward(self, points):
        angles = (points[..., None] * self.frequencies).flatten(-2)
        h = self.trunk(torch.cat([angles.sin(), angles.cos()], dim=-1))
        return F.softplus(self.sigma(h)).squeeze(-1), torch.sigmoid(self.rgb(h))


class NeRF(nn.Module):
    def __init__(self):
        super().__init__()
        self.coarse, self.fine = Field(), Field()

    def render(self, field, origins, directions, depths):
        sigma, rgb = field(origins[:, None] + directions[:, None] * depths[..., None])
        delta = torch.diff(depths, dim=1, append=depths[:, -1:] + 1)
        alpha = 1 - torch.exp(-sigma * delta)
        transmittance = torch.cumprod(torch.cat([torch.ones_like(alpha[:, :1]), 1 - alpha[:, :-1] + 1e-10], 1), 1)
        weights = alpha * transmittance
        return (weights[..., None] * rgb).sum(1), weights

    def forward(self, rays):
        origins, directions = rays.split(3, dim=1)
        depths = torch.linspace(2, 6, 12).expand(len(rays), -1)
        depths = depths + torch.rand_like(depths) * 4 / 12
        coarse, weights = self.render(self.coarse, origins, directions, depths)
        picked = torch.multinomial(weights.detach() + 1e-5, 12, replacement=True)
        finer = torch.gather(depths, 1, picked) + torch.rand_like(depths) * 0.2
        fine, fine_weights = self.render(self.fine, origins, directions, finer.sort(1).values)
        return {"coarse": coarse, "fine": fine, "opacity": fine_weights.sum(1)}


def batches():
    for seed in range(4):
        generator = torch.Generator().manual_seed(seed)
        directions = F.normalize(torch.randn(64, 3, generator=generator), dim=1)
        yield torch.cat([torch.zeros(64, 3), directions], dim=1), directions * 0.5 + 0.5


def terms(output, batch):
    opacity = output["opacity"].clamp(1e-3, 1 - 1e-3)
    return {
        "coarse": F.mse_loss(output["coarse"], batch[1]),
        "fine": F.mse_loss(output["fine"], batch[1]),
        "opacity": -(opacity * opacity.log() + (1 - opacity) * (1 - opacity).log()).mean(),
    }
