"""Camera relocalisation (PoseNet): an image encoder with a translation and a quaternion head."""

import torch
import torch.nn.functional as F
from torch import nn


class PoseNet(nn.Module):
    def __init__(self, width=16, identity=False, learned=False):
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Conv2d(3, width, 5, stride=2),
            nn.ReLU(),
            nn.Conv2d(width, width, 3, stride=2),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(2),
            nn.Flatten(),
            nn.Linear(4 * width, 64),
            nn.ReLU(),
        )
        self.t, self.q = nn.Linear(64, 3), nn.Linear(64, 4)
        if learned:
            self.s_t, self.s_q = nn.Parameter(torch.zeros(())), nn.Parameter(torch.zeros(()))
        else:  # quaternions near the identity, as all views look the same way
            self.q.bias.data += torch.tensor([1.0, 0.0, 0.0, 0.0])
        if identity:  # start from the reference view
            nn.init.zeros_(self.q.weight)
            self.q.bias.data.copy_(torch.tensor([1.0, 0.0, 0.0, 0.0]))

    def forward(self, image):
        h = self.encoder(image)
        return self.t(h), F.normalize(self.q(h), dim=1)


def views(size=16, unit=1.0, still=0):
    """Views of a textured wall: shift and brightness give the pose away."""
    for seed in range(4):
        g = torch.Generator().manual_seed(100 + seed)
        t = torch.randn(size, 3, generator=g)
        q = torch.randn(size, 4, generator=g) * 0.2 + torch.tensor([1.0, 0, 0, 0])
        if still:
            q[:still] = torch.tensor([1.0, 0.0, 0.0, 0.0])
        q = F.normalize(q, dim=1)
        grid = torch.linspace(0, 6, 24)
        wall = torch.sin(grid[None, :, None] + t[:, 0, None, None]) * torch.cos(grid[None, None] + t[:, 1, None, None])
        image = torch.stack(
            [wall * (1 + 0.2 * t[:, 2, None, None]), wall + q[:, 1, None, None], wall - q[:, 2, None, None]], 1
        )
        yield image + 0.05 * torch.randn(image.shape, generator=g), (t * unit, q)


def learned_weights(model, batch):
    """Kendall and Cipolla 2017: homoscedastic weights for metres and quaternions."""
    t, q = model(batch[0])
    t_error = (t - batch[1][0]).abs().sum(1).mean()
    q_error = (q - batch[1][1]).norm(dim=1).mean()
    return {
        "translation": torch.exp(-model.s_t) * t_error + model.s_t,
        "rotation": torch.exp(-model.s_q) * q_error + model.s_q,
    }


def geodesic(q1, q2):
    return 2 * torch.acos((q1 * q2).sum(1).abs())


def acos_at_identity(model, batch):
    t, q = model(batch[0])
    return {"translation": F.l1_loss(t, batch[1][0]), "rotation": geodesic(q, batch[1][1]).mean()}


def millimetres(output, batch):
    t, q = output
    return {"translation": F.mse_loss(t, batch[1][0]), "rotation": F.mse_loss(q, batch[1][1])}


def one_vector(output, batch):
    """Millimetres and a unit quaternion in one regression."""
    pose = torch.cat(output, dim=1)
    target = torch.cat(batch[1], dim=1)
    return {"pose": F.mse_loss(pose, target), "unit": (output[1].norm(dim=1) - 1).pow(2).mean()}


def safe_geodesic(output, batch):
    t, q = output
    cosine = (q * batch[1][1]).sum(1).abs().clamp(max=1 - 1e-6)
    return {"translation": F.smooth_l1_loss(t, batch[1][0]), "rotation": (2 * torch.acos(cosine)).mean()}
