"""CycleGAN, with the parameters of each player named in the config: both generators learn from one objective."""

import itertools

import torch
import torch.nn.functional as F
from torch import nn


def translator(width=8):
    return nn.Sequential(
        nn.Conv2d(3, width, 3, padding=1),
        nn.InstanceNorm2d(width),
        nn.ReLU(),
        nn.Conv2d(width, 3, 3, padding=1),
        nn.Tanh(),
    )


def critic(width=8):
    return nn.Sequential(nn.Conv2d(3, width, 4, 2, 1), nn.LeakyReLU(0.2), nn.Conv2d(width, 1, 4, 1, 1))


class CycleGAN(nn.Module):
    def __init__(self):
        super().__init__()
        self.gen_ab, self.gen_ba = translator(), translator()
        self.disc_a, self.disc_b = critic(), critic()


def batches():
    for seed in itertools.count():
        generator = torch.Generator().manual_seed(seed)
        a = F.interpolate(torch.rand(2, 3, 4, 4, generator=generator), size=16, mode="bilinear") * 2 - 1
        yield {"a": a, "b": a.flip(3).roll(5, 2) * 0.5}


def lsgan(logits, real):
    return F.mse_loss(logits, torch.full_like(logits, float(real)))


def losses(model, batch):
    a, b = batch["a"], batch["b"]
    fake_b, fake_a = model.gen_ab(a), model.gen_ba(b)
    return {
        "generators": {
            "gan": lsgan(model.disc_b(fake_b), True) + lsgan(model.disc_a(fake_a), True),
            "cycle": F.l1_loss(model.gen_ba(fake_b), a) + F.l1_loss(model.gen_ab(fake_a), b),
            "identity": F.l1_loss(model.gen_ab(b), b) + F.l1_loss(model.gen_ba(a), a),
        },
        "critics": {
            "real": lsgan(model.disc_a(a), True) + lsgan(model.disc_b(b), True),
            "fake": lsgan(model.disc_a(fake_a.detach()), False) + lsgan(model.disc_b(fake_b.detach()), False),
        },
    }
