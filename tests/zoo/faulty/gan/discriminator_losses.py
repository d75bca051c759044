"""GANs whose discriminator's loss does not fit its output, or has the wrong sign."""

import torch
import torch.nn.functional as F
from torch import nn


class G(nn.Module):
    def __init__(self, nz=24, ngf=16):
        super().__init__()
        self.net = nn.Sequential(
            nn.ConvTranspose2d(nz, 2 * ngf, 4),
            nn.BatchNorm2d(2 * ngf),
            nn.ReLU(True),
            nn.ConvTranspose2d(2 * ngf, ngf, 4, 2, 1),
            nn.BatchNorm2d(ngf),
            nn.ReLU(True),
            nn.ConvTranspose2d(ngf, 1, 4, 2, 1),
            nn.Tanh(),
        )

    def forward(self, z):
        return self.net(z[:, :, None, None])


class D(nn.Module):
    def __init__(self, ndf=16, sigmoid=False):
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv2d(1, ndf, 4, 2, 1),
            nn.LeakyReLU(0.2),
            nn.Conv2d(ndf, 2 * ndf, 4, 2, 1),
            nn.BatchNorm2d(2 * ndf),
            nn.LeakyReLU(0.2),
            nn.Conv2d(2 * ndf, 1, 4),
        )
        self.sigmoid = sigmoid

    def forward(self, x):
        y = self.net(x).flatten()
        return torch.sigmoid(y) if self.sigmoid else y


class DCGAN(nn.Module):
    def __init__(self, nz=24, sigmoid=False, width=16):
        super().__init__()
        self.nz = nz
        self.generator, self.discriminator = G(nz, width), D(width, sigmoid)


def mnist_like(n=4, batch=16, seed=0):
    g = torch.Generator().manual_seed(seed)
    for _ in range(n):
        yield F.interpolate(torch.rand(batch, 1, 5, 5, generator=g), size=16, mode="bilinear").mul(2).sub(1)


bce, bce_logits = nn.BCELoss(), nn.BCEWithLogitsLoss()


def adversarial(criterion, scores, real):
    return criterion(scores, torch.ones_like(scores) if real else torch.zeros_like(scores))


def ascends(gan, real):
    """Writes max E[log D] as it stands in the paper, and lets the optimizer minimise it."""
    fake = gan.generator(torch.randn(len(real), gan.nz))
    d = gan.discriminator
    return {
        "generator": {"adv": adversarial(bce, d(fake), True), "moments": (fake.mean(0) - real.mean(0)).pow(2).mean()},
        "discriminator": {
            "real": -adversarial(bce, d(real), True),
            "fake": -adversarial(bce, d(fake.detach()), False),
        },
    }


def log_d(gan, real):
    """log D + log(1 − D) minimised, without the minus in front."""
    fake = gan.generator(torch.randn(real.shape[0], gan.nz))
    p_real, p_fake = gan.discriminator(real), gan.discriminator(fake.detach())
    target = torch.ones_like(p_real)
    return {
        "G": {"gan": F.binary_cross_entropy(gan.discriminator(fake), target)},
        "D": {"gan": -F.binary_cross_entropy(torch.cat([p_real, p_fake]), torch.cat([target, 1 - target]))},
    }


def sigmoid_and_logits(gan, real):
    """The discriminator ends in a sigmoid, the criterion has one inside."""
    z = torch.randn(real.size(0), gan.nz)
    fake = gan.generator(z)
    return {
        "generator": {
            "adversarial": adversarial(bce_logits, gan.discriminator(fake), True),
            "l1": F.l1_loss(F.avg_pool2d(fake, 4), F.avg_pool2d(real, 4)),
        },
        "discriminator": {
            "real": adversarial(bce_logits, gan.discriminator(real), True),
            "fake": adversarial(bce_logits, gan.discriminator(fake.detach()), False),
        },
    }


def log_of_a_critic(gan, real):
    """The critic's score is not bounded, its logarithm is taken all the same."""
    fake = gan.generator(torch.randn(len(real), gan.nz))
    c = gan.discriminator
    return {
        "gen": {"score": -torch.log(c(fake)).mean(), "tv": (fake[..., 1:] - fake[..., :-1]).abs().mean()},
        "critic": {"wasserstein": c(fake.detach()).mean() - c(real).mean(), "drift": c(real).pow(2).mean()},
    }


def log_of_a_shifted_critic(gan, real):
    fake = gan.generator(torch.randn(len(real), gan.nz))
    score = gan.discriminator(fake)
    return {
        "gen": {"non_saturating": torch.log(1 - 50 * score).mean().neg(), "range": fake.pow(2).mean()},
        "critic": {
            "hinge": F.relu(1 - gan.discriminator(real)).mean() + F.relu(1 + gan.discriminator(fake.detach())).mean()
        },
    }
