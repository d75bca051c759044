"""Conditional GANs (pix2pixHD, vocoders) whose feature-matching or cycle term compares the wrong tensors."""

import torch
import torch.nn.functional as F
from torch import nn


class Translator(nn.Module):
    def __init__(self, width=16):
        super().__init__()
        self.a = nn.Conv2d(3, width, 3, padding=1)
        self.b = nn.Conv2d(width, width, 3, padding=1)
        self.c = nn.Conv2d(width, 3, 3, padding=1)

    def forward(self, x):
        return torch.tanh(self.c(F.relu(self.b(F.relu(self.a(x))))))


class PatchD(nn.Module):
    def __init__(self, width=16):
        super().__init__()
        self.layers = nn.ModuleList(
            [
                nn.Sequential(nn.Conv2d(3, width, 4, 2, 1), nn.LeakyReLU(0.2)),
                nn.Sequential(nn.Conv2d(width, 2 * width, 4, 2, 1), nn.InstanceNorm2d(2 * width), nn.LeakyReLU(0.2)),
                nn.Conv2d(2 * width, 1, 3, padding=1),
            ]
        )

    def forward(self, x):
        feats = []
        for layer in self.layers:
            x = layer(x)
            feats.append(x)
        return feats


class Pix2Pix(nn.Module):
    def __init__(self, width=16):
        super().__init__()
        self.netG, self.netD = Translator(width), PatchD(width)


class CycleGAN(nn.Module):
    def __init__(self, width=12):
        super().__init__()
        self.G_AB, self.G_BA = Translator(width), Translator(width)
        self.D_A, self.D_B = PatchD(width), PatchD(width)


def pairs(n=4, batch=4, size=16, seed=0):
    g = torch.Generator().manual_seed(seed)
    for _ in range(n):
        label = F.interpolate(torch.rand(batch, 3, 4, 4, generator=g), size=size) * 2 - 1
        photo = F.interpolate(torch.rand(batch, 3, 4, 4, generator=g), size=size, mode="bilinear") * 2 - 1
        yield label, photo


def lsgan(pred, real):
    return F.mse_loss(pred, torch.full_like(pred, float(real)))


def fm_detached(gan, batch):
    label, photo = batch
    fake = gan.netG(label)
    f_fake, f_real, f_d = gan.netD(fake), gan.netD(photo), gan.netD(fake.detach())
    fm = sum((a - b).detach().abs().mean() for a, b in zip(f_fake[:-1], f_real[:-1]))
    return {
        "G": {"gan": lsgan(f_fake[-1], True), "feat": fm, "l1": F.l1_loss(fake, photo)},
        "D": {"real": lsgan(f_real[-1], True), "fake": lsgan(f_d[-1], False)},
    }


class FeatureMatching(nn.Module):
    def forward(self, fake, real):
        losses = [F.l1_loss(f.detach(), r.detach()) for f, r in zip(fake, real)]
        return torch.stack(losses).mean()


feature_matching = FeatureMatching()


def fm_module(gan, batch):
    label, photo = batch
    fake = gan.netG(label)
    f_fake, f_real = gan.netD(fake), gan.netD(photo)
    d = {"d_real": F.softplus(-f_real[-1]).mean(), "d_fake": F.softplus(gan.netD(fake.detach())[-1]).mean()}
    g = {"g_adv": F.softplus(-f_fake[-1]).mean(), "g_fm": feature_matching(f_fake[:-1], f_real[:-1])}
    return {"disc": d, "gen": g}


def fm_of_the_d_step(gan, batch):
    """Keeps the features of the discriminator's own step, whose fake was detached, for the generator's step."""
    label, photo = batch
    fake = gan.netG(label)
    disc_fake, disc_real = gan.netD(fake.detach()), gan.netD(photo)
    d = {"real": F.relu(1 - disc_real[-1]).mean(), "fake": F.relu(1 + disc_fake[-1]).mean()}
    fm = sum(F.l1_loss(a, b.detach()) for a, b in zip(disc_fake[:-1], disc_real[:-1])) / 2
    g = {"adv": -gan.netD(fake)[-1].mean(), "fm": fm, "mel": F.l1_loss(fake, photo)}
    return {"generator": g, "discriminator": d}


def cycle_of_the_real_image(gan, batch):
    """The cycle's loss got the real image on both sides."""
    real_A, real_B = batch
    fake_B, fake_A = gan.G_AB(real_A), gan.G_BA(real_B)
    rec_A, rec_B = gan.G_BA(fake_B), gan.G_AB(fake_A)
    g = {
        "gan_AB": lsgan(gan.D_B(fake_B)[-1], True),
        "gan_BA": lsgan(gan.D_A(fake_A)[-1], True),
        "cycle_A": F.l1_loss(rec_A, real_A),
        "cycle_B": F.l1_loss(real_B, real_B),
        "identity": F.l1_loss(gan.G_AB(real_B), real_B) + 0 * rec_B.sum(),
    }
    return {
        "generator": g,
        "discriminator": {
            "A": lsgan(gan.D_A(real_A)[-1], True) + lsgan(gan.D_A(fake_A.detach())[-1], False),
            "B": lsgan(gan.D_B(real_B)[-1], True) + lsgan(gan.D_B(fake_B.detach())[-1], False),
        },
    }
