"""Models that use their input, or do not."""

import torch
import torch.nn.functional as F
from torch import nn


class Net(nn.Module):
    """A regression that may ignore its input in one of the usual ways."""

    def __init__(self, how="uses"):
        super().__init__()
        self.how = how
        self.body, self.head = nn.Sequential(nn.Linear(6, 16), nn.ReLU()), nn.Linear(16, 3)
        if how == "dead":
            nn.init.constant_(self.body[0].bias, -100.0)
        if how == "zero head":
            nn.init.zeros_(self.head.weight)

    def forward(self, x):
        if self.how == "zeros":
            x = torch.zeros_like(x)
        y = self.head(self.body(x))
        return y + x[:, :3] if self.how == "residual" else y


class Dead(Net):
    def __init__(self):
        super().__init__("dead")


class Zeros(Net):
    def __init__(self):
        super().__init__("zeros")


class ZeroHead(Net):
    def __init__(self):
        super().__init__("zero head")


class Residual(Net):
    def __init__(self):
        super().__init__("residual")
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)


class Gan(nn.Module):
    def __init__(self):
        super().__init__()
        self.generator, self.discriminator = nn.Linear(4, 6), nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 1))


def batches():
    for seed in range(2):
        generator = torch.Generator().manual_seed(seed)
        x = torch.randn(8, 6, generator=generator)
        yield x, x[:, :3].sin()


def terms(output, batch):
    return {"mse": F.mse_loss(output, batch[1]), "l1": F.l1_loss(output, batch[1])}


def gan(model, batch):
    fake = model.generator(torch.randn(8, 4))
    return {
        "generator": {"adversarial": F.softplus(-model.discriminator(fake)).mean(), "size": fake.square().mean()},
        "discriminator": {
            "real": F.softplus(-model.discriminator(batch[0])).mean(),
            "fake": F.softplus(model.discriminator(fake.detach())).mean(),
        },
    }
