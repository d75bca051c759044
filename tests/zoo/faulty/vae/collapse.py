"""A VAE of which the decoder has stopped listening: the state after posterior collapse."""

import torch
import torch.nn.functional as F
from torch import nn


class SequenceVAE(nn.Module):
    """World-models style: features in, latent, features out."""

    def __init__(self, features=48, latent=16, hidden=64, collapsed=True):
        super().__init__()
        self.enc = nn.Sequential(nn.Linear(features, hidden), nn.Tanh())
        self.to_mu, self.to_logvar = nn.Linear(hidden, latent), nn.Linear(hidden, latent)
        self.from_z = nn.Linear(latent, hidden)
        self.dec = nn.Sequential(nn.Tanh(), nn.Linear(hidden, features))
        if collapsed:  # what training has made of it
            with torch.no_grad():
                for layer in (self.to_mu, self.to_logvar):
                    layer.weight.mul_(1e-5)
                    layer.bias.zero_()
                self.from_z.weight.zero_()

    def forward(self, x):
        h = self.enc(x)
        mu, logvar = self.to_mu(h), self.to_logvar(h)
        z = mu + torch.randn_like(mu) * (logvar / 2).exp()
        return self.dec(self.from_z(z)), mu, logvar


class CollapsedConvVAE(nn.Module):
    def __init__(self, latent=8, width=16):
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Conv2d(1, width, 4, 4), nn.SiLU(), nn.Flatten(), nn.Linear(16 * width, 2 * latent)
        )
        self.decoder = nn.Sequential(
            nn.Linear(latent, 16 * width), nn.SiLU(), nn.Unflatten(1, (width, 4, 4)), nn.ConvTranspose2d(width, 1, 4, 4)
        )
        self.encoder[-1].weight.data.mul_(1e-4)
        self.encoder[-1].bias.data.zero_()
        self.decoder[0].weight.data.zero_()

    def forward(self, x):
        mu, logvar = self.encoder(x).chunk(2, dim=1)
        return self.decoder(mu + torch.randn_like(mu) * (0.5 * logvar).exp()), mu, logvar


def sequences(n=4, batch=16, features=48, seed=0):
    g = torch.Generator().manual_seed(seed)
    basis = torch.randn(6, features, generator=g)
    for _ in range(n):
        x = torch.randn(batch, 6, generator=g) @ basis / 6**0.5
        yield x, x


def pictures(n=4, batch=8, seed=0):
    g = torch.Generator().manual_seed(seed)
    for _ in range(n):
        x = F.interpolate(torch.randn(batch, 1, 4, 4, generator=g), size=16, mode="bilinear")
        yield x, x


def losses(output, batch):
    x_hat, mu, logvar = output
    kl = -0.5 * (1 + logvar - mu**2 - logvar.exp()).sum(1).mean()
    return {"rec": F.mse_loss(x_hat, batch[1], reduction="none").flatten(1).sum(1).mean(), "kl": kl}


def step(model, batch):
    x_hat, mu, logvar = model(batch[0])
    per_sample = (x_hat - batch[0]).square().flatten(1).sum(1)
    kl = 0.5 * (mu.square() + logvar.exp() - logvar - 1).sum(1)
    return {"nll": per_sample.mean(), "kl": kl.mean()}
