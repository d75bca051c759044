"""6-D rotations of the joints of a body, from its 3-D keypoints (Zhou et al. 2019), with a forward-kinematics term."""

import torch
import torch.nn.functional as F
from torch import nn

JOINTS = 5


def to_matrix(six):
    a, b = six[..., :3], six[..., 3:]
    x = F.normalize(a, dim=-1)
    y = F.normalize(b - (x * b).sum(-1, keepdim=True) * x, dim=-1)
    return torch.stack([x, y, torch.linalg.cross(x, y)], dim=-1)


class Regressor(nn.Module):
    def __init__(self, hidden=96, residual=False):
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(JOINTS * 3, hidden), nn.LeakyReLU(), nn.Linear(hidden, hidden), nn.LeakyReLU()
        )
        self.rotations = nn.Linear(hidden, JOINTS * 6)
        self.root = nn.Linear(hidden, 3)
        self.residual = residual
        if residual:
            nn.init.zeros_(self.rotations.weight)
            nn.init.zeros_(self.rotations.bias)

    def forward(self, keypoints):
        h = self.net(keypoints.flatten(1))
        six = self.rotations(h).view(-1, JOINTS, 6)
        if self.residual:
            six = six + torch.tensor([1.0, 0, 0, 0, 1.0, 0])
        return to_matrix(six), self.root(h)


def motions(n=32, rest=False, unit=1.0):
    for seed in (3, 5, 8, 13):
        g = torch.Generator().manual_seed(seed)
        R = to_matrix(torch.randn(n, JOINTS, 6, generator=g))
        if rest:  # most joints of a resting body are in the rest pose
            R[:, 2:] = torch.eye(3)
        root = torch.randn(n, 3, generator=g)
        bones = torch.tensor([0.0, 1.0, 0.0])
        keypoints = (R @ bones).cumsum(1) + root[:, None]
        yield keypoints, {"R": R, "root": root * unit}


class AngleLoss(nn.Module):
    def __init__(self, eps=0.0):
        super().__init__()
        self.eps = eps

    def forward(self, R, target):
        trace = torch.einsum("bjmn,bjmn->bj", R, target)
        cosine = ((trace - 1) / 2).clamp(-1 + self.eps, 1 - self.eps)
        return torch.acos(cosine).mean()


exact, guarded = AngleLoss(), AngleLoss(1e-6)


def kinematics(R, root):
    return (R @ torch.tensor([0.0, 1.0, 0.0])).cumsum(1) + root[:, None]


def unguarded(output, batch):
    R, root = output
    return {
        "angle": torch.acos(((R * batch[1]["R"]).sum((-1, -2)) - 1) / 2).mean(),
        "root": F.mse_loss(root, batch[1]["root"]),
    }


def fine(output, batch):
    R, root = output
    keypoints, target = batch
    return {
        "angle": guarded(R, target["R"]),
        "keypoints": F.l1_loss(kinematics(R, root), keypoints),
        "root": F.l1_loss(root, target["root"]),
    }


def frobenius(model, batch):
    """The mean of the chordal distances, as the square root of sums of squares."""
    R, root = model(batch[0])
    return {
        "rotation": ((R - batch[1]["R"]) ** 2).sum((-1, -2)).sqrt().mean(),
        "root": F.mse_loss(root, batch[1]["root"]),
    }


def in_millimetres(model, batch):
    R, root = model(batch[0])
    return {"rotation": ((R - batch[1]["R"]) ** 2).mean(), "root": ((root - batch[1]["root"]) ** 2).sum(1).mean()}


def parameters_at_once(model, batch):
    """Root in millimetres and rotation entries, side by side in one vector, as SMPL regressors do."""
    R, root = model(batch[0])
    theta = torch.cat([R.flatten(1), root], dim=-1)
    gt = torch.cat([batch[1]["R"].flatten(1), batch[1]["root"]], dim=-1)
    return {"theta": ((theta - gt) ** 2).mean(), "keypoints": F.l1_loss(kinematics(R, root / 1000), batch[0])}
