"""Physics-informed networks for ordinary differential equations: a damped oscillator, and Poisson in one dimension."""

import itertools
import math

import torch
import torch.nn as nn


class PINN(nn.Module):
    def __init__(self, hidden=32, layers=3, activation="tanh"):
        super().__init__()
        make = {"tanh": nn.Tanh, "relu": nn.ReLU, "silu": nn.SiLU}[activation]
        sizes = [1] + [hidden] * layers
        self.body = nn.Sequential(*[m for i, o in itertools.pairwise(sizes) for m in (nn.Linear(i, o), make())])
        self.out = nn.Linear(hidden, 1)

    def forward(self, t):
        return self.out(self.body(t))


def collocation(n=64, horizon=1.0, batches=3):
    for seed in range(batches):
        g = torch.Generator().manual_seed(seed)
        yield {"t": torch.rand(n, 1, generator=g) * horizon, "t0": torch.zeros(1, 1)}


def d(y, x, **kwargs):
    return torch.autograd.grad(y, x, torch.ones_like(y), create_graph=True, **kwargs)[0]


def oscillator(model, batch, mu=4.0, k=25.0):
    t = batch["t"].clone().requires_grad_()
    u = model(t)
    u_t = d(u, t)
    u_tt = d(u_t, t)
    t0 = batch["t0"].clone().requires_grad_()
    u0 = model(t0)
    v0 = d(u0, t0)
    return {
        "physics": ((u_tt + mu * u_t + k * u) ** 2).mean(),
        "displacement": ((u0 - 1) ** 2).squeeze(),
        "velocity": (v0**2).squeeze(),
    }


def stiff(model, batch):
    """mu = 4, k = 400, as in many a physics course, but with weights of 1."""
    return oscillator(model, batch, mu=4.0, k=400.0)


def poisson(model, batch):
    """u'' = -pi^2 sin(pi x), u(0) = u(1) = 0, scaled by pi^2."""
    x = batch["t"].clone().requires_grad_()
    u_xx = d(d(model(x), x), x)
    ends = torch.tensor([[0.0], [1.0]])
    return {
        "residual": ((u_xx / math.pi**2 + torch.sin(math.pi * x)) ** 2).mean(),
        "boundary": (model(ends) ** 2).mean(),
    }


def straight(model, batch):
    """Elastic energy's strong form, with a network that is linear by pieces."""
    x = batch["t"].clone().requires_grad_()
    u_xx = d(d(model(x), x), x)
    ends = torch.tensor([[0.0], [1.0]])
    return {"curvature": ((u_xx + 1.0) ** 2).mean(), "boundary": ((model(ends) - 0.5) ** 2).mean()}


def no_graph(model, batch):
    t = batch["t"].clone().requires_grad_()
    u = model(t)
    (u_t,) = torch.autograd.grad(u.sum(), t)
    return {"decay": ((u_t + 2.0) ** 2).mean(), "initial": ((model(batch["t0"]) - 1) ** 2).mean()}


def right_hand_side_flat(model, batch):
    """The source is computed on a flat tensor."""
    x = batch["t"].clone().requires_grad_()
    u_xx = d(d(model(x), x), x)
    f = -torch.sin(math.pi * batch["t"].squeeze(-1))
    ends = torch.tensor([[0.0], [1.0]])
    return {"residual": ((u_xx / math.pi**2 - f) ** 2).mean(), "boundary": (model(ends) ** 2).mean()}
