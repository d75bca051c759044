"""Physics-informed networks in two variables: Burgers, Helmholtz with a fine structure, heat in physical units."""

from math import pi

import torch
from torch import nn


class Field(nn.Module):
    def __init__(self, width=24, act="tanh", scale=1.0):
        super().__init__()
        self.first, self.second, self.last = nn.Linear(2, width), nn.Linear(width, width), nn.Linear(width, 1)
        self.act = {"tanh": torch.tanh, "relu": torch.relu, "sin": torch.sin}[act]
        self.scale = scale

    def forward(self, x, y):
        h = self.act(self.first(torch.cat([x, y], 1)))
        return self.scale * self.last(self.act(self.second(h)))


class Points(torch.utils.data.Dataset):
    def __init__(self, n=256, length=1.0, seed=0):
        g = torch.Generator().manual_seed(seed)
        self.inside = (torch.rand(n, 2, generator=g) * 2 - 1) * length
        side = torch.rand(n, 1, generator=g) * 2 - 1
        self.edge = torch.cat([torch.where(torch.rand(n, 1, generator=g) > 0.5, 1.0, -1.0), side], 1) * length

    def __len__(self):
        return len(self.inside)

    def __getitem__(self, i):
        return self.inside[i], self.edge[i]


def partial(u, *wrt):
    for x in wrt:
        u = torch.autograd.grad(u.sum(), x, create_graph=True)[0]
    return u


def leaves(points):
    return [c.clone().requires_grad_() for c in points.split(1, dim=1)]


def burgers(model, batch):
    inside, edge = batch
    x, t = leaves(inside)
    u = model(x, t)
    f = partial(u, t) + u * partial(u, x) - 0.01 / pi * partial(u, x, x)
    start = torch.cat([edge[:, 1:], torch.full_like(edge[:, :1], -1.0)], 1)
    return {
        "f": (f**2).mean(),
        "initial": ((model(start[:, :1], start[:, 1:]) + torch.sin(pi * start[:, :1])) ** 2).mean(),
        "walls": (model(edge[:, :1], edge[:, 1:]) ** 2).mean(),
    }


def helmholtz(model, batch, a1=1, a2=4, k=1.0):
    """Wang, Teng and Perdikaris 2020: the residual's gradient swamps the boundary's."""
    inside, edge = batch
    x, y = leaves(inside)
    u = model(x, y)
    q = (-((a1 * pi) ** 2) - (a2 * pi) ** 2 + k**2) * torch.sin(a1 * pi * x) * torch.sin(a2 * pi * y)
    r = partial(u, x, x) + partial(u, y, y) + k**2 * u - q
    return {"res": (r**2).mean(), "bc": (model(edge[:, :1], edge[:, 1:]) ** 2).mean()}


def helmholtz_fine(model, batch):
    return helmholtz(model, batch, a1=3, a2=6)


def piecewise(model, batch):
    """Laplace with the activation that everybody uses for images."""
    inside, edge = batch
    x, y = leaves(inside)
    u = model(x, y)
    laplace = partial(u, x, x) + partial(u, y, y)
    return {
        "laplace": ((laplace - 1) ** 2).mean(),
        "edge": ((model(edge[:, :1], edge[:, 1:]) - edge[:, 1:]) ** 2).mean(),
    }


def detached_derivative(model, batch):
    inside, edge = batch
    x, y = leaves(inside)
    u = model(x, y)
    u_x, u_y = torch.autograd.grad(u.sum(), (x, y))
    return {"eikonal": ((u_x**2 + u_y**2 - 1) ** 2).mean(), "edge": (model(edge[:, :1], edge[:, 1:]) ** 2).mean()}


def flat_source(model, batch):
    inside, edge = batch
    x, y = leaves(inside)
    u = model(x, y)
    source = torch.exp(-(inside**2).sum(1))
    return {
        "res": (partial(u, x, x) + partial(u, y, y) + source).pow(2).mean(),
        "bc": model(edge[:, :1], edge[:, 1:]).pow(2).mean(),
    }


def millimetres(model, batch):
    """Stress in Pa from strain in 1, coordinates of a metre: E = 2e5."""
    inside, edge = batch
    x, y = leaves(inside)
    u = model(x, y)
    stress = 2e5 * partial(u, x)
    return {
        "equilibrium": (partial(stress, x) + 1e3).pow(2).mean(),
        "clamped": (model(edge[:, :1], edge[:, 1:])).pow(2).mean(),
    }
