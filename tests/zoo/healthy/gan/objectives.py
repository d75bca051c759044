"""GANs whose losses look strange and are right: negative generators, R1 now and then, hinges that are met, drift terms."""

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils.parametrizations import spectral_norm


class Generator(nn.Module):
    def __init__(self, nz=16, width=16, channels=1):
        super().__init__()
        self.fc = nn.Linear(nz, width * 16)
        self.net = nn.Sequential(
            nn.LeakyReLU(0.2),
            nn.Upsample(scale_factor=2),
            nn.Conv2d(width, width, 3, padding=1),
            nn.LeakyReLU(0.2),
            nn.Upsample(scale_factor=2),
            nn.Conv2d(width, channels, 3, padding=1),
            nn.Tanh(),
        )

    def forward(self, z):
        return self.net(self.fc(z).unflatten(1, (-1, 4, 4)))


class Critic(nn.Module):
    def __init__(self, width=16, channels=1, sn=False, bias=0.0):
        super().__init__()
        norm = spectral_norm if sn else lambda m: m
        self.net = nn.Sequential(
            norm(nn.Conv2d(channels, width, 4, 2, 1)),
            nn.LeakyReLU(0.2),
            norm(nn.Conv2d(width, 2 * width, 4, 2, 1)),
            nn.LeakyReLU(0.2),
            nn.Flatten(),
        )
        self.head = nn.Linear(2 * width * 16, 1)
        nn.init.constant_(self.head.bias, bias)

    def forward(self, x):
        return self.head(self.net(x)).squeeze(1)


class GAN(nn.Module):
    def __init__(self, nz=16, width=16, sn=False, bias=0.0):
        super().__init__()
        self.nz = nz
        self.G, self.D = Generator(nz, width), Critic(width, sn=sn, bias=bias)

    def fake(self, n):
        return self.G(torch.randn(n, self.nz))


def images(n=4, batch=8, seed=0, channels=1):
    g = torch.Generator().manual_seed(seed)
    for _ in range(n):
        yield F.interpolate(torch.rand(batch, channels, 4, 4, generator=g), size=16, mode="bilinear") * 2 - 1


def gradient_penalty(critic, real, fake):
    eps = torch.rand(len(real), 1, 1, 1)
    mixed = (eps * real + (1 - eps) * fake).detach().requires_grad_()
    (gradient,) = torch.autograd.grad(critic(mixed).sum(), mixed, create_graph=True)
    return (gradient.flatten(1).norm(dim=1) - 1).pow(2).mean()


def wgan_gp(gan, real):
    """With the drift term of progressive GANs, whose weight is 0.001."""
    fake = gan.fake(len(real))
    d_real, d_fake = gan.D(real), gan.D(fake.detach())
    return {
        "generator": {"adv": -gan.D(fake).mean()},
        "critic": {
            "wasserstein": d_fake.mean() - d_real.mean(),
            "gp": gradient_penalty(gan.D, real, fake),
            "drift": d_real.pow(2).mean(),
        },
    }


def hinge(gan, real):
    """The discriminator may be so far ahead that one of its hinges is met everywhere."""
    fake = gan.fake(real.size(0))
    return {
        "G": {"adv": -gan.D(fake).mean(), "diversity": -(fake - gan.fake(len(real))).abs().mean()},
        "D": {"real": F.relu(1 - gan.D(real)).mean(), "fake": F.relu(1 + gan.D(fake.detach())).mean()},
    }


def non_saturating_r1(gan, real):
    """StyleGAN2: softplus, and R1 on the score times the interval of its lazy evaluation."""
    fake = gan.fake(len(real))
    real = real.clone().requires_grad_()
    score = gan.D(real)
    (gradient,) = torch.autograd.grad(score.sum(), real, create_graph=True)
    r1 = gradient.square().sum([1, 2, 3]).mean() * 0.5 * 16
    return {
        "g": {"main": F.softplus(-gan.D(fake)).mean()},
        "d": {"real": F.softplus(-score).mean(), "fake": F.softplus(gan.D(fake.detach())).mean(), "r1": r1},
    }


class Pix2Pix(nn.Module):
    def __init__(self, width=16):
        super().__init__()
        self.netG = nn.Sequential(
            nn.Conv2d(1, width, 3, padding=1),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.Dropout(0.5),
            nn.Conv2d(width, 1, 3, padding=1),
            nn.Tanh(),
        )
        self.netD = nn.ModuleList(
            [
                nn.Sequential(nn.Conv2d(2, width, 4, 2, 1), nn.LeakyReLU(0.2)),
                nn.Sequential(nn.Conv2d(width, 2 * width, 4, 2, 1), nn.BatchNorm2d(2 * width), nn.LeakyReLU(0.2)),
                nn.Conv2d(2 * width, 1, 3, padding=1),
            ]
        )

    def scores(self, a, b):
        x, features = torch.cat([a, b], 1), []
        for layer in self.netD:
            x = layer(x)
            features.append(x)
        return features


def maps(n=4, batch=4, seed=0):
    for labels, photos in zip(images(n, batch, seed), images(n, batch, seed + 100)):
        yield labels, (labels + photos).clamp(-1, 1)


bce = nn.BCEWithLogitsLoss()


def pix2pix(model, batch):
    """The discriminator's loss halved, features matched with the real side detached."""
    a, b = batch
    fake = model.netG(a)
    features_fake, features_real = model.scores(a, fake), model.scores(a, b)
    features_d = model.scores(a, fake.detach())
    label = torch.ones_like(features_fake[-1])
    matching = sum(F.l1_loss(x, y.detach()) for x, y in zip(features_fake[:-1], features_real[:-1]))
    return {
        "generator": {"gan": bce(features_fake[-1], label), "l1": F.l1_loss(fake, b), "matching": matching},
        "discriminator": {"real": bce(features_real[-1], label), "fake": bce(features_d[-1], 0 * label)},
    }


def lsgan_in_two_turns(model, batch):
    """Freezes the discriminator for the generator's turn; labels are smoothed on one side."""
    a, b = batch
    for p in model.netD.parameters():
        p.requires_grad_(False)
    fake = model.netG(a)
    g = {"adv": (model.scores(a, fake)[-1] - 1).square().mean(), "l1": (fake - b).abs().mean()}
    for p in model.netD.parameters():
        p.requires_grad_(True)
    d = {
        "real": (model.scores(a, b)[-1] - 0.9).square().mean(),
        "fake": model.scores(a, fake.detach())[-1].square().mean(),
    }
    return {"G": g, "D": d}
