"""Variational autoencoders whose two terms are not reduced alike, or not weighted for it."""

import torch
import torch.nn.functional as F
from torch import nn
from torch.distributions import Independent, Normal, kl_divergence


class VAE(nn.Module):
    """As in pytorch/examples."""

    def __init__(self, pixels=196, hidden=64, latent=8):
        super().__init__()
        self.fc1 = nn.Linear(pixels, hidden)
        self.fc_mu = nn.Linear(hidden, latent)
        self.fc_logvar = nn.Linear(hidden, latent)
        self.fc3 = nn.Linear(latent, hidden)
        self.fc4 = nn.Linear(hidden, pixels)

    def encode(self, x):
        h = F.relu(self.fc1(x.flatten(1)))
        return self.fc_mu(h), self.fc_logvar(h)

    def forward(self, x):
        mu, logvar = self.encode(x)
        z = mu + torch.randn_like(mu) * (0.5 * logvar).exp()
        return torch.sigmoid(self.fc4(F.relu(self.fc3(z)))), mu, logvar


class Digits(torch.utils.data.Dataset):
    def __init__(self, n=64, side=14, seed=0):
        g = torch.Generator().manual_seed(seed)
        strokes = F.interpolate(torch.rand(n, 1, 4, 4, generator=g), size=side, mode="bilinear")
        self.x = ((strokes - 0.5) * 4).sigmoid()

    def __len__(self):
        return len(self.x)

    def __getitem__(self, i):
        return self.x[i], i % 10


def kl_summed(output, batch):
    recon, mu, logvar = output
    x = batch[0].flatten(1)
    return {
        "reconstruction": F.mse_loss(recon, x),
        "kld": -0.5 * torch.sum(1 + logvar - mu.pow(2) - logvar.exp()),
    }


class ELBO(nn.Module):
    def __init__(self):
        super().__init__()
        self.bce = nn.BCELoss()

    def forward(self, x, recon, q):
        prior = Independent(Normal(torch.zeros_like(q.mean), 1.0), 1)
        return {"bce": self.bce(recon, x), "kl": kl_divergence(q, prior).sum()}


elbo = ELBO()


def distributions_step(model, batch):
    x = batch[0].flatten(1)
    mu, logvar = model.encode(batch[0])
    q = Independent(Normal(mu, (0.5 * logvar).exp()), 1)
    h = F.relu(model.fc3(q.rsample()))
    return elbo(x, model.fc4(h).sigmoid(), q)


class ConvVAE(nn.Module):
    def __init__(self, latent=32, width=16):
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Conv2d(1, width, 4, 2, 1),
            nn.LeakyReLU(),
            nn.Conv2d(width, 2 * width, 3, 2, 1),
            nn.LeakyReLU(),
            nn.Flatten(),
        )
        self.mu, self.var = nn.LazyLinear(latent), nn.LazyLinear(latent)
        self.decoder = nn.Sequential(
            nn.Linear(latent, 2 * width * 16),
            nn.Unflatten(1, (2 * width, 4, 4)),
            nn.LeakyReLU(),
            nn.ConvTranspose2d(2 * width, width, 4, 2, 1),
            nn.LeakyReLU(),
            nn.ConvTranspose2d(width, 1, 4, 2, 1),
            nn.Sigmoid(),
        )

    def forward(self, x):
        h = self.encoder(x)
        mu, log_var = self.mu(h), self.var(h)
        return self.decoder(mu + torch.randn_like(mu) * torch.exp(log_var / 2)), mu, log_var


def conv_vae(latent=32, width=16):
    net = ConvVAE(latent, width)
    net(torch.zeros(2, 1, 16, 16))
    return net


def weight_one(output, batch):
    """PyTorch-VAE's loss, with kld_weight left at 1 although the reconstruction is a mean over pixels."""
    recons, mu, log_var = output
    kld = torch.mean(-0.5 * torch.sum(1 + log_var - mu**2 - log_var.exp(), dim=1), dim=0)
    return {"Reconstruction_Loss": F.mse_loss(recons, batch[0]), "KLD": kld}


def weight_one_step(net, batch):
    x = batch[0]
    x_hat, mu, log_var = net(x)
    kl = 0.5 * (mu**2 + log_var.exp() - 1 - log_var).sum(-1).mean()
    return {"rec": (x_hat - x).abs().mean(), "kl": kl}


def summed_reconstruction(output, batch):
    """The reconstruction is summed over the batch, the KL averaged over it and over its dimensions."""
    recons, mu, log_var = output
    kl = -0.5 * (1 + log_var - mu**2 - log_var.exp())
    return {"recon": F.binary_cross_entropy(recons, batch[0], reduction="sum"), "kl": kl.mean()}
