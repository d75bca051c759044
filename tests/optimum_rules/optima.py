"""Components that are best at the target, or beside it, as people write them."""

import torch
import torch.nn.functional as F
from torch import nn


class Net(nn.Module):
    """An image to image network; its head says in which units it answers."""

    def __init__(self, head=None):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 3, 3, padding=1))
        self.head = head or nn.Identity()

    def forward(self, x):
        return self.head(self.body(x))


class SigmoidNet(Net):
    def __init__(self):
        super().__init__(nn.Sigmoid())


class Classifier(nn.Module):
    def __init__(self, width=32):
        super().__init__()
        self.body = nn.Sequential(nn.Flatten(), nn.Linear(192, width), nn.ReLU(), nn.Linear(width, 5))

    def forward(self, x):
        return self.body(x)


class Distilled(Classifier):
    def __init__(self):
        super().__init__()
        self.teacher = Classifier(64).requires_grad_(False)


class Language(nn.Module):
    def __init__(self):
        super().__init__()
        self.table, self.mix, self.head = nn.Embedding(11, 8), nn.GRU(8, 8, batch_first=True), nn.Linear(8, 11)

    def forward(self, tokens):
        return self.head(self.mix(self.table(tokens))[0])


def photos(seed=0):
    for index in range(2):
        generator = torch.Generator().manual_seed(seed + index)
        clean = F.interpolate(torch.rand(6, 3, 4, 4, generator=generator), size=8, mode="bilinear") * 0.9 + 0.05
        yield {"input": clean + 0.2 * torch.randn(clean.shape, generator=generator), "target": clean}


def labels(seed=0):
    for index in range(2):
        generator = torch.Generator().manual_seed(seed + index)
        yield torch.rand(12, 3, 8, 8, generator=generator), torch.randint(5, (12,), generator=generator)


def texts(seed=0):
    for index in range(2):
        tokens = torch.randint(11, (6, 9), generator=torch.Generator().manual_seed(seed + index))
        yield tokens, tokens


FULL = torch.tensor([[0.299, 0.587, 0.114], [-0.169, -0.331, 0.5], [0.5, -0.419, -0.081]])
STUDIO = torch.tensor([[65.5, 128.6, 25.0], [-37.8, -74.2, 112.0], [112.0, -93.8, -18.2]]) / 255


def ycbcr(image, matrix=FULL, offset=(0.0, 0.5, 0.5)):
    return torch.einsum("ij,bjhw->bihw", matrix, image) + image.new_tensor(offset)[:, None, None]


def ycbcr_studio(image):
    return ycbcr(image, STUDIO, (16 / 255, 0.5, 0.5))


def mixed_up(output, batch):
    target = batch["target"]
    return {
        "l1": F.l1_loss(output, target),
        "flipped": F.mse_loss(output, target.flip(-1)),
        "chroma": F.mse_loss(ycbcr(output), ycbcr_studio(target)),
        "offset": (output - (target + 0.3)).abs().mean(),
    }


def alike(output, batch):
    target, noisy = batch["target"], batch["input"]
    edges = output[..., 1:] - output[..., :-1]
    return {
        "l1": F.l1_loss(output, target),
        "chroma": F.mse_loss(ycbcr(output), ycbcr(target)),
        "fidelity": 0.1 * F.mse_loss(output, noisy),
        "smooth": (edges.abs() * torch.exp(-(target[..., 1:] - target[..., :-1]).abs())).mean(),
        "noisy target": F.mse_loss(output, target + 0.3 * torch.randn_like(target)),
        "regularised": F.mse_loss(output, target) + 1e-3 * edges.abs().mean(),
        "floor": F.mse_loss(output, target) + 5,
    }


def other_units(output, batch):
    """The output is in units of its own, and nothing says that it is wrong."""
    target = batch["target"]
    return {
        "normalised": F.mse_loss(output, (target - 0.5) / 0.2),
        "log": F.l1_loss(output, target.log()),
        "residual": F.mse_loss(batch["input"] + output, target),
        "squashed": F.mse_loss(output.sigmoid(), target),
    }


def off_by_one(output, batch):
    return {"ce": F.cross_entropy(output, (batch[1] + 1) % 5), "size": output.square().mean()}


def smoothed(output, batch):
    return {
        "ce": F.cross_entropy(output, batch[1], label_smoothing=0.1),
        "hot": F.cross_entropy(output / 4, batch[1]),
        "margin": F.multi_margin_loss(output, batch[1]),
    }


def distill(student, teacher):
    def step(model, batch):
        logits = model(batch[0])
        with torch.no_grad():
            taught = model.teacher(batch[0])
        soft = F.softmax(taught / teacher, dim=1)
        return {
            "ce": F.cross_entropy(logits, batch[1]),
            "kd": student**2 * F.kl_div(F.log_softmax(logits / student, dim=1), soft, reduction="batchmean"),
            "by_hand": -(soft * (logits / student).log_softmax(1)).sum(1).mean(),
        }

    return step


same, teacher_alone, sharpened = distill(4.0, 4.0), distill(1.0, 4.0), distill(1.0, 0.4)


def shifted(output, batch):
    return {
        "next": F.cross_entropy(output[:, :-1].flatten(0, 1), batch[1][:, 1:].flatten()),
        "entropy": 0.01 * (output.softmax(-1) * output.log_softmax(-1)).sum(-1).mean(),
    }
