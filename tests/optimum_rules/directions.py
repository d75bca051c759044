"""Components that lead to their target or away from it, as people write them."""

import kornia
import torch
import torch.nn.functional as F
from torch import nn
from torch.distributions import Normal


class Net(nn.Module):
    """An image to image network."""

    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 1, 3, padding=1), nn.Sigmoid())

    def forward(self, x):
        return self.body(x)


class Classifier(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Flatten(), nn.Linear(144, 16), nn.ReLU(), nn.Linear(16, 4))

    def forward(self, x):
        return self.body(x)


def images(seed=0):
    for index in range(2):
        generator = torch.Generator().manual_seed(seed + index)
        clean = F.interpolate(torch.rand(4, 1, 4, 4, generator=generator), size=12, mode="bilinear")
        yield clean + 0.1 * torch.randn(clean.shape, generator=generator), clean


def masks(seed=0):
    for noisy, clean in images(seed):
        yield noisy, (clean > 0.5).float()


def labels(seed=0):
    for index in range(2):
        generator = torch.Generator().manual_seed(seed + index)
        yield torch.rand(12, 1, 12, 12, generator=generator), torch.randint(4, (12,), generator=generator)


def rollouts(seed=0):
    """Observations, actions, returns that are all negative, as where every step costs."""
    for index in range(2):
        generator = torch.Generator().manual_seed(seed + index)
        actions = torch.randint(4, (12,), generator=generator)
        yield torch.rand(12, 1, 12, 12, generator=generator), actions, -1 - torch.rand(12, generator=generator)


def ssim(a, b):
    return kornia.metrics.ssim(a, b, window_size=5).mean()


def dice(p, t):
    return ((2 * (p * t).sum((1, 2, 3)) + 1) / (p.sum((1, 2, 3)) + t.sum((1, 2, 3)) + 1)).mean()


def psnr(a, b):
    return 10 * torch.log10(1 / F.mse_loss(a, b))


def correlation(a, b):
    a, b = a.flatten(1) - a.flatten(1).mean(1, keepdim=True), b.flatten(1) - b.flatten(1).mean(1, keepdim=True)
    return ((a * b).sum(1) / (a.norm(dim=1) * b.norm(dim=1) + 1e-6)).mean()


def similarities(output, batch):
    """All of these should be subtracted from something."""
    target = batch[1]
    return {
        "l1": F.l1_loss(output, target),
        "ssim": ssim(output, target),
        "psnr": psnr(output, target),
        "cosine": F.cosine_similarity(output.flatten(1), target.flatten(1)).mean(),
        "correlation": correlation(output, target),
        "negative": -(output - target).pow(2).mean(),
        "log likelihood": Normal(output, 0.1).log_prob(target).mean(),
    }


def similarity_losses(output, batch):
    target = batch[1]
    return {
        "l1": F.l1_loss(output, target),
        "ssim": 1 - ssim(output, target),
        "psnr": -psnr(output, target),
        "cosine": 1 - F.cosine_similarity(output.flatten(1), target.flatten(1)).mean(),
        "correlation": 1 - correlation(output, target),
        "negative": (output - target).pow(2).mean(),
        "log likelihood": -Normal(output, 0.1).log_prob(target).mean(),
        "smoothness": (
            (output[..., 1:] - output[..., :-1]).abs() * (target[..., 1:] - target[..., :-1]).abs().neg().exp()
        ).mean(),
        "roughness": -(output - output.mean()).pow(2).mean(),
    }


def scores(output, batch):
    target = batch[1]
    inter, union = (output * target).sum(), (output + target - output * target).sum()
    return {"bce": F.binary_cross_entropy(output, target), "dice": dice(output, target), "iou": inter / union}


def score_losses(output, batch):
    return {name: value if name == "bce" else 1 - value for name, value in scores(output, batch).items()}


def likelihoods(output, batch):
    target = batch[1]
    logs = output.log_softmax(1)
    return {
        "ce": -F.cross_entropy(output, target),
        "gathered": logs.gather(1, target[:, None]).mean(),
        "picked": logs[torch.arange(len(target)), target].mean(),
        "one hot": (F.one_hot(target, 4) * logs).sum(1).mean(),
    }


def likelihood_losses(output, batch):
    entropy = -(output.softmax(1) * output.log_softmax(1)).sum(1).mean()
    return {**{name: -value for name, value in likelihoods(output, batch).items()}, "confidence": entropy}


def policy(output, batch):
    _, actions, returns = batch
    logs = output.log_softmax(1)
    return {
        "gathered": -(logs.gather(1, actions[:, None])[:, 0] * returns).mean(),
        "crossed": (F.cross_entropy(output, actions, reduction="none") * returns).mean(),
        "bonus": (output.softmax(1) * output.log_softmax(1)).sum(1).mean(),
    }


class Twins(nn.Module):
    """A student, a frozen teacher, and a projection for a contrastive loss."""

    def __init__(self):
        super().__init__()
        self.student, self.teacher = Classifier(), Classifier().requires_grad_(False)
        self.register_buffer("bank", torch.randn(6, 4))

    def forward(self, x):
        return self.student(x)


def distilled(sign):
    def step(model, batch):
        logits = model.student(batch[0])
        with torch.no_grad():
            taught = model.teacher(batch[0])
        distance = torch.cdist(logits, model.bank)
        return {
            "task": F.cross_entropy(logits, batch[1]),
            "kd": sign * F.kl_div(F.log_softmax(logits / 2, 1), F.softmax(taught / 2, 1), reduction="batchmean"),
            "push": F.relu(1 - (logits - model.bank[0]).norm(dim=1)).mean(),
            "kernel": torch.exp(-(logits - taught.roll(1, 0)).pow(2).sum(1)).mean(),
            "spread": -(logits - logits.detach().roll(1, 0)).pow(2).mean(),
            "triplet": F.relu((logits - taught).norm(dim=1) - (logits - taught.roll(1, 0)).norm(dim=1) + 1).mean(),
            "nearest": distance.amin(1).mean(),
        }

    return step


taught, untaught = distilled(1.0), distilled(-1.0)


class Adversary(nn.Module):
    def __init__(self):
        super().__init__()
        self.trunk, self.label, self.domain = nn.Linear(144, 8), nn.Linear(8, 4), nn.Linear(8, 4)


def domains(model, batch):
    features = torch.relu(model.trunk(batch[0].flatten(1)))
    return {
        "encoder": {
            "confusion": -F.cross_entropy(model.domain(features), batch[1]),
            "label": F.cross_entropy(model.label(features), batch[1].flip(0)),
        },
        "critic": {"domain": F.cross_entropy(model.domain(features.detach()), batch[1])},
    }
