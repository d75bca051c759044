"""Loss networks and teachers that nobody put into eval mode."""

import torch
import torch.nn.functional as F
from torch import nn


class Denoiser(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv2d(3, 16, 3, padding=1),
            nn.BatchNorm2d(16),
            nn.ReLU(),
            nn.Dropout(0.1),
            nn.Conv2d(16, 3, 3, padding=1),
        )

    def forward(self, image):
        return self.net(image)


class Distiller(nn.Module):
    def __init__(self):
        super().__init__()
        self.student = nn.Sequential(nn.Flatten(), nn.Linear(768, 5))
        self.teacher = nn.Sequential(nn.Flatten(), nn.Linear(768, 32), nn.ReLU(), nn.Dropout(0.5), nn.Linear(32, 5))
        self.teacher.requires_grad_(False).eval()


def network(*layers):
    torch.manual_seed(3)
    return nn.Sequential(nn.Conv2d(3, 16, 3), *layers, nn.Conv2d(16, 8, 3)).requires_grad_(False)


dropping, normalising, evaluated = (
    network(nn.Dropout2d(0.5)),
    network(nn.BatchNorm2d(16)),
    network(nn.Dropout(0.5)).eval(),
)


def batches():
    for seed in range(2):
        generator = torch.Generator().manual_seed(seed)
        clean = F.interpolate(torch.rand(4, 3, 6, 6, generator=generator), size=16, mode="bilinear")
        yield clean + 0.1 * torch.randn(clean.shape, generator=generator), clean


def perceptual(features, output, target):
    return F.mse_loss(features(output), features(target))


def with_dropout(output, batch):
    return {"l1": F.l1_loss(output, batch[1]), "perceptual": perceptual(dropping, output, batch[1])}


def with_batch_norm(output, batch):
    return {"l1": F.l1_loss(output, batch[1]), "perceptual": perceptual(normalising, output, batch[1])}


def by_function(model, batch):
    output = model(batch[0])
    dropped = F.dropout(output, 0.2)  # fault: functional
    return {"l1": F.l1_loss(output, batch[1]), "robust": F.l1_loss(dropped, batch[1])}


def distill(model, batch):
    logits = model.student(batch[0])
    taught = F.kl_div(logits.log_softmax(1), model.teacher(batch[0]).softmax(1), reduction="batchmean")
    return {"ce": F.cross_entropy(logits, batch[1].flatten(1).argmax(1) % 5), "taught": taught}


def fine(model, batch):
    """Dropout on the input is augmentation, noise on the target is a method."""
    output = model(F.dropout(batch[0], 0.1))
    return {
        "l1": F.l1_loss(output, batch[1] + 0.1 * torch.randn_like(output)),
        "perceptual": perceptual(evaluated, output, batch[1]),
    }
