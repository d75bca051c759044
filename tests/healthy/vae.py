"""The variational autoencoder of pytorch/examples: binary cross-entropy and KL, both summed."""

import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import Dataset


class VAE(nn.Module):
    def __init__(self, latent=8):
        super().__init__()
        self.fc1 = nn.Linear(196, 64)
        self.fc21 = nn.Linear(64, latent)
        self.fc22 = nn.Linear(64, latent)
        self.fc3 = nn.Linear(latent, 64)
        self.fc4 = nn.Linear(64, 196)

    def encode(self, x):
        h = F.relu(self.fc1(x))
        return self.fc21(h), self.fc22(h)

    def reparameterize(self, mu, logvar):
        std = torch.exp(0.5 * logvar)
        return mu + torch.randn_like(std) * std

    def decode(self, z):
        return torch.sigmoid(self.fc4(F.relu(self.fc3(z))))

    def forward(self, x):
        mu, logvar = self.encode(x.view(-1, 196))
        return self.decode(self.reparameterize(mu, logvar)), mu, logvar


class Digits(Dataset):
    """14×14 pictures of a vertical and a horizontal bar, grey values in [0, 1]."""

    def __len__(self):
        return 64

    def __getitem__(self, index):
        image = torch.zeros(1, 14, 14)
        image[:, :, index % 12 : index % 12 + 2] = 0.8
        image[:, index * 5 % 12 : index * 5 % 12 + 2] = 1.0
        return image, index % 10


def loss_function(output, batch):
    reconstruction, mu, logvar = output
    bce = F.binary_cross_entropy(reconstruction, batch[0].view(-1, 196), reduction="sum")
    kld = -0.5 * torch.sum(1 + logvar - mu.pow(2) - logvar.exp())
    return {"bce": bce, "kld": kld}
