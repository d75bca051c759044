"""Components that pull against each other by mistake, and components that limit each other on purpose."""

import torch
import torch.nn.functional as F
from torch import nn


class FlowNet(nn.Module):
    """Two frames in, a flow field out."""

    def __init__(self, width=16):
        super().__init__()
        self.encode = nn.Sequential(nn.Conv2d(2, width, 3, padding=1), nn.LeakyReLU(0.1))
        self.refine = nn.Sequential(nn.Conv2d(width, width, 3, padding=1), nn.LeakyReLU(0.1))
        self.flow = nn.Conv2d(width, 2, 3, padding=1)

    def forward(self, frames):
        return self.flow(self.refine(self.encode(frames)))


def frames(batches=3, size=12):
    """Pairs of frames of a camera that pans: the flow is much the same everywhere."""
    for seed in range(batches):
        generator = torch.Generator().manual_seed(seed)
        motion = torch.tensor([1.5, -0.5])[:, None, None] + 0.2 * torch.randn(4, 2, size, size, generator=generator)
        yield torch.rand(4, 2, size, size, generator=generator), motion


def forward_and_backward(output, batch):
    """The backward flow is the negative of the forward flow; here its target lacks the sign."""
    _, flow = batch
    return {"forward": F.mse_loss(output, flow), "backward": (output + flow).abs().mean()}


class Sharpen(nn.Module):
    def forward(self, image):
        return -(image[..., 1:] - image[..., :-1]).pow(2).mean()


def smooth_and_sharp(model, batch):
    image, target = batch
    output = model(image)
    smooth = torch.square(output[..., 1:] - output[..., :-1]).mean()
    return {"epe": (output - target).norm(dim=1).mean(), "smooth": smooth, "sharp": Sharpen()(output)}


def pushed_away(model, batch):
    """The model runs for a second input too, so that which tensor is its output has to be told from the trace."""
    image, flow = batch
    output, mirrored = model(image), model(image.flip(-1))
    criterion = nn.SmoothL1Loss()
    return {
        "supervised": criterion(output, flow),
        "repulsion": -nn.MSELoss()(output, flow),
        "mirror": criterion(mirrored.flip(-1), output.detach()),
    }


class Encoder(nn.Module):
    def __init__(self, dim=16, norm=True):
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(20, 64), nn.BatchNorm1d(64) if norm else nn.Identity(), nn.ReLU(), nn.Linear(64, dim)
        )

    def forward(self, x):
        return self.net(x)


class Siamese(Encoder):
    def forward(self, views):
        return self.net(views[:, 0]), self.net(views[:, 1])


def views(noise=1.0, size=64, batches=3):
    generator = torch.Generator().manual_seed(0)
    for _ in range(batches):
        x = torch.randn(size, 1, 20, generator=generator)
        yield (x + noise * torch.randn(size, 2, 20, generator=generator), None)


def vicreg(output, batch):
    z1, z2 = output
    off = [torch.cov(z.T).fill_diagonal_(0).pow(2).sum() / z.shape[1] for z in output]
    spread = [F.relu(1 - (z.var(dim=0) + 1e-4).sqrt()).mean() for z in output]
    return {"invariance": F.mse_loss(z1, z2), "variance": sum(spread), "covariance": sum(off)}


def alignment_and_uniformity(output, batch):
    z1, z2 = (F.normalize(z, dim=1) for z in output)
    return {
        "align": (z1 - z2).pow(2).sum(1).mean(),
        "uniform": torch.pdist(z1).pow(2).mul(-2).exp().mean().log(),
    }


def pull_and_push(model, batch):
    anchor, positive = model(batch[0])
    negative = positive.roll(1, 0)
    return {
        "pull": (anchor - positive).pow(2).sum(1).mean(),
        "push": F.relu(4 - (anchor - negative).pow(2).sum(1)).mean(),
    }


def points(size=32, batches=3):
    for seed in range(batches):
        generator = torch.Generator().manual_seed(seed)
        yield torch.randn(size, 20, generator=generator), torch.randn(size, 1, generator=generator)


def critic(model, batch):
    x, _ = batch
    return {"real": F.relu(1 - model(x)).mean(), "fake": F.relu(1 + model(0.3 * x)).mean()}


def objectness(output, batch):
    there = (batch[1] > 0.5).float()
    loss = F.binary_cross_entropy_with_logits(output, there, reduction="none")
    return {"object": loss[there > 0].mean(), "background": 0.5 * loss[there == 0].mean()}


def heteroscedastic(output, batch):
    mean, log_variance = output.chunk(2, dim=1)
    return {"error": (torch.exp(-log_variance) * (mean - batch[1]) ** 2).mean(), "log_variance": log_variance.mean()}
