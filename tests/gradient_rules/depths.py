"""Networks whose gradient explodes or vanishes, and networks whose gradient is large or small for good reasons."""

import torch
import torch.nn.functional as F
from torch import nn


def rows(size=16, inputs=20, targets=1, scale=1.0, batches=2):
    for seed in range(batches):
        generator = torch.Generator().manual_seed(seed)
        x = torch.randn(size, inputs, generator=generator)
        yield x, scale * torch.randn(size, targets, generator=generator)


def error(output, batch):
    return {"mse": F.mse_loss(output, batch[1])}


def stack(depth=4, activation="ReLU", width=32, gain=None, norm=False):
    layers = []
    for inputs in [20] + [width] * depth:
        layer = nn.Linear(inputs, width)
        if gain is not None:
            nn.init.normal_(layer.weight, std=gain)
        layers += [layer, *([nn.LayerNorm(width)] if norm else []), getattr(nn, activation)()]
    return nn.Sequential(*layers, nn.Linear(width, 1))


class Recurrent(nn.Module):
    """A hand-written recurrence; a recurrent weight of gain 4 is chaotic (Sompolinsky et al. 1988)."""

    def __init__(self, gain=1.0, hidden=32, act="tanh"):
        super().__init__()
        self.recurrent = nn.Parameter(gain * torch.randn(hidden, hidden) / hidden**0.5)
        self.inputs, self.head = nn.Linear(4, hidden), nn.Linear(hidden, 1)
        self.act = getattr(torch, act)

    def forward(self, x):
        state = x.new_zeros(len(x), len(self.recurrent))
        for step in x.unbind(1):
            state = self.act(state @ self.recurrent + self.inputs(step))
        return self.head(state)


def sequences(length=100, batches=2):
    for seed in range(batches):
        generator = torch.Generator().manual_seed(seed)
        yield torch.randn(8, length, 4, generator=generator), torch.randn(8, 1, generator=generator)


def relative(model, batch):
    """Relative error of a target that is almost zero, guarded by an epsilon that guards nothing."""
    x, y = batch
    prediction = model(x)
    return {"absolute": F.l1_loss(prediction, y), "relative": ((prediction - y) / (1e-12 * y + 1e-12)).abs().mean()}


class ZeroProjection(nn.Module):
    """An embedding that starts at zero and is normalised: 0 / 1e-12."""

    def __init__(self):
        super().__init__()
        self.body, self.projection = nn.Sequential(nn.Linear(20, 16), nn.ReLU()), nn.Linear(16, 8, bias=False)
        nn.init.zeros_(self.projection.weight)

    def forward(self, x):
        return F.normalize(self.projection(self.body(x)), dim=1)


def direction(output, batch):
    return {"direction": (output - F.normalize(batch[1], dim=1)).pow(2).sum(1).mean()}


def metres(output, batch):
    """Nanometres, in metres."""
    return {"position": F.mse_loss(1e-9 * output, 1e-9 * batch[1])}


class Photos(torch.utils.data.Dataset):
    def __len__(self):
        return 16

    def __getitem__(self, index):
        generator = torch.Generator().manual_seed(index)
        image = torch.rand(3, 32, 32, generator=generator) * 255
        return image, image.flip(-1)


def convolutions():
    return nn.Sequential(nn.Conv2d(3, 16, 3, padding=1), nn.ReLU(), nn.Conv2d(16, 3, 3, padding=1))


def squares(output, batch):
    """The sum of squared errors of 8-bit pixels: a large number, and nothing more."""
    return {"sse": nn.MSELoss(reduction="sum")(output, batch[1])}


class LayerScaleBlock(nn.Module):
    """ConvNeXt, CaiT: a branch that starts at a millionth."""

    def __init__(self, width=32):
        super().__init__()
        self.norm, self.up, self.down = nn.LayerNorm(width), nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
        self.gamma = nn.Parameter(1e-6 * torch.ones(width))

    def forward(self, x):
        return x + self.gamma * self.down(F.gelu(self.up(self.norm(x))))


def residual_tower(blocks=12):
    return nn.Sequential(nn.Linear(20, 32), *(LayerScaleBlock() for _ in range(blocks)), nn.Linear(32, 1))


class Wave(nn.Module):
    """A physics-informed network: the residual is tiny at the start, the initial condition is not."""

    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(2, 20), nn.Tanh(), nn.Linear(20, 20), nn.Tanh(), nn.Linear(20, 1))

    def forward(self, xt):
        return self.net(xt)


def collocation():
    for seed in range(2):
        generator = torch.Generator().manual_seed(seed)
        yield torch.rand(32, 2, generator=generator), torch.rand(32, 1, generator=generator)


def heat(model, batch):
    points = batch[0].requires_grad_()
    u = model(points)
    (first,) = torch.autograd.grad(u.sum(), points, create_graph=True)
    (second,) = torch.autograd.grad(first[:, 0].sum(), points, create_graph=True)
    start = torch.cat([batch[1], torch.zeros_like(batch[1])], 1)
    return {
        "residual": (1e-3 * (first[:, 1] - 0.01 * second[:, 0])).pow(2).mean(),
        "initial": F.mse_loss(model(start), torch.sin(3.14 * batch[1])),
    }
