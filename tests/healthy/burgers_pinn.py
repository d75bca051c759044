"""A physics-informed network for Burgers' equation u_t + u u_x = ν u_xx on [-1, 1] × [0, 1]."""

import math

import torch
from torch import nn

NU = 0.01 / math.pi


class Net(nn.Module):
    def __init__(self, width=20, depth=4):
        super().__init__()
        layers = [nn.Linear(2, width), nn.Tanh()]
        for _ in range(depth - 1):
            layers += [nn.Linear(width, width), nn.Tanh()]
        self.layers = nn.Sequential(*layers, nn.Linear(width, 1))
        for layer in self.layers:
            if isinstance(layer, nn.Linear):
                nn.init.xavier_normal_(layer.weight)
                nn.init.zeros_(layer.bias)

    def forward(self, x, t):
        return self.layers(torch.cat([x, t], dim=1))


def batches(points=256):
    while True:
        yield {
            "inside": torch.rand(points, 2) * torch.tensor([2.0, 1.0]) - torch.tensor([1.0, 0.0]),
            "boundary": torch.stack([torch.randint(0, 2, (64,)) * 2.0 - 1, torch.rand(64)], dim=1),
            "initial": torch.rand(64, 1) * 2 - 1,
        }


def derivative(y, x):
    return torch.autograd.grad(y, x, torch.ones_like(y), create_graph=True)[0]


def losses(model, batch):
    x, t = (column.requires_grad_() for column in batch["inside"].split(1, dim=1))
    u = model(x, t)
    u_t, u_x = derivative(u, t), derivative(u, x)
    residual = u_t + u * u_x - NU * derivative(u_x, x)

    boundary = model(*batch["boundary"].split(1, dim=1))
    x0 = batch["initial"]
    initial = model(x0, torch.zeros_like(x0)) + torch.sin(math.pi * x0)
    return {"residual": residual.pow(2).mean(), "boundary": boundary.pow(2).mean(), "initial": initial.pow(2).mean()}
