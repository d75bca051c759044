"""Losses of logits, of probabilities and of their logarithms, given one for the other, and given what they take."""

import torch
import torch.nn.functional as F
from torch import nn


class Classifier(nn.Module):
    """`last` is what the model ends in."""

    def __init__(self, classes=10, last=None):
        super().__init__()
        self.trunk = nn.Sequential(nn.Linear(12, 32), nn.ReLU())
        self.fc = nn.Linear(32, classes)
        self.last = {None: nn.Identity(), "softmax": nn.Softmax(dim=-1), "log_softmax": nn.LogSoftmax(dim=1)}[last]

    def forward(self, x):
        return self.last(self.fc(self.trunk(x)))


def labelled(classes=10):
    centres = torch.randn(classes, 12, generator=torch.Generator().manual_seed(9))
    for seed in range(3):
        generator = torch.Generator().manual_seed(seed)
        labels = torch.randint(0, classes, (32,), generator=generator)
        yield centres[labels] + torch.randn(32, 12, generator=generator), labels


class Criterion(nn.Module):
    def __init__(self):
        super().__init__()
        self.ce = nn.CrossEntropyLoss()

    def forward(self, output, batch):
        confidence = output.max(dim=1).values.mean()
        return {
            "ce": self.ce(output, batch[1]),  # fault: softmax in the model
            "confidence": -0.1 * confidence,
        }


criterion = Criterion()


def attention(model, batch):
    """Normalised by hand: no softmax to be seen."""
    scores = model(batch[0]).exp()
    scores = scores / scores.sum(dim=1, keepdim=True)
    return {"classify": F.cross_entropy(scores, batch[1])}  # fault: rows that add up to 1


def logits(model, batch):
    scores = model(batch[0])
    return {"ce": F.cross_entropy(scores, batch[1]), "entropy": F.softmax(scores, 1).clamp(1e-8).log().mean()}


def twice_log_softmax(output, batch):
    probabilities = output.exp()
    return {"ce": F.cross_entropy(output, batch[1]), "log": F.cross_entropy((probabilities + 1e-8).log(), batch[1])}


class GAN(nn.Module):
    def __init__(self, sigmoid=True):
        super().__init__()
        self.generator = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 12))
        self.discriminator = nn.Sequential(nn.Linear(12, 16), nn.LeakyReLU(0.2), nn.Linear(16, 1))
        if sigmoid:
            self.discriminator.append(nn.Sigmoid())


adversarial = nn.BCEWithLogitsLoss()


def gan_step(model, batch):
    real = batch[0]
    fake = model.generator(torch.randn(len(real), 4))
    fooled = model.discriminator(fake)
    scores = {"real": model.discriminator(real), "fake": model.discriminator(fake.detach())}
    labels = {"real": torch.ones(len(real), 1), "fake": torch.zeros(len(real), 1)}
    return {
        "G": {"adversarial": adversarial(fooled, torch.ones_like(fooled))},  # fault: sigmoid in the discriminator
        "D": {name: adversarial(scores[name], labels[name]) for name in scores},
    }


def probability_gan(model, batch):
    real = batch[0]
    bce = nn.BCELoss()
    fooled = model.discriminator(model.generator(torch.randn(len(real), 4)))
    return {
        "adversarial": bce(fooled, torch.ones_like(fooled)),
        "real": bce(model.discriminator(real), 0.9 + 0 * fooled),
    }


class Masks(nn.Module):
    """Segmentation of one class."""

    def __init__(self, last=None):
        super().__init__()
        self.net = nn.Sequential(nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 1, 1))
        self.last = last

    def forward(self, image):
        logits = self.net(image)
        if self.last == "sigmoid":
            return torch.sigmoid(logits).clamp(1e-4, 1 - 1e-4)
        return torch.clamp(logits, 0, 1) if self.last == "clamp" else logits


def masks(low=0.0, high=1.0, ignored=None, smoothing=0.0):
    for seed in range(3):
        generator = torch.Generator().manual_seed(seed)
        mask = (F.interpolate(torch.rand(4, 1, 4, 4, generator=generator), size=16) > 0.5).float()
        image = mask + 0.2 * torch.randn(mask.shape, generator=generator)
        mask = mask + smoothing * torch.rand(mask.shape, generator=generator)
        target = low + (high - low) * mask
        if ignored is not None:
            target[:, :, :3] = ignored
        yield image, target


def segment(output, batch):
    overlap = (torch.sigmoid(output) * batch[1]).mean()
    return {"bce": F.binary_cross_entropy_with_logits(output, batch[1]), "overlap": -0.1 * overlap}  # fault: masks


def segment_probabilities(model, batch):
    probabilities = model(batch[0])
    return {"bce": F.binary_cross_entropy(probabilities, batch[1])}  # fault: clamped


def segment_clipped(model, batch):
    probabilities = model(batch[0]).clip(1e-6, 1 - 1e-6)
    weights = 1 + batch[1]
    return {"bce": nn.BCELoss(weight=weights)(probabilities, batch[1])}  # fault: clipped


def focal(output, batch):
    bce = F.binary_cross_entropy_with_logits(output, batch[1], reduction="none")  # fault: focal
    return {"focal": ((1 - torch.exp(-bce)) ** 2 * bce).mean()}


def without_ignored(model, batch):
    output, target = model(batch[0]), batch[1]
    valid = target != 255
    everywhere = F.binary_cross_entropy_with_logits(output, target, reduction="none")
    return {
        "masked": (everywhere * valid).sum() / valid.sum(),
        "selected": F.binary_cross_entropy_with_logits(output[valid], target[valid]),
    }


def nll(output, batch):
    return {"nll": F.nll_loss(output, batch[1])}  # fault: nll


def nll_of_probabilities(model, batch):
    scores = model(batch[0])
    return {"nll": F.nll_loss(torch.log(F.softmax(scores, dim=1) + 1e-3), batch[1])}


def reinforce(model, batch):
    """The policy gradient of what was done, by how much better than usual it was."""
    log_policy = F.log_softmax(model(batch[0]), dim=1)
    advantage = batch[0].mean(1, keepdim=True)
    return {"policy": F.nll_loss(log_policy * advantage, batch[1])}


teacher_scores = nn.Linear(12, 10).requires_grad_(False)
with torch.no_grad():
    teacher_scores.weight.copy_(torch.randn(10, 12, generator=torch.Generator().manual_seed(5)))


def distill_probabilities(model, batch):
    x, labels = batch
    student, teacher = model(x), teacher_scores(x)
    divergence = nn.KLDivLoss(reduction="batchmean")
    return {
        "hard": F.cross_entropy(student, labels),
        "soft": divergence(F.softmax(student / 2, dim=1), F.softmax(teacher / 2, dim=1)),  # fault: probabilities
    }


def distill_swapped(output, batch):
    soft = F.softmax(teacher_scores(batch[0]), dim=1)
    return {"soft": F.kl_div(soft, F.log_softmax(output, dim=1), reduction="batchmean")}  # fault: swapped


def distill_to_logits(model, batch):
    x, labels = batch
    student = F.log_softmax(model(x), dim=1)
    return {
        "hard": F.nll_loss(student, labels),
        "soft": F.kl_div(student, teacher_scores(x), reduction="batchmean"),  # fault: a target of logits
    }


def make_distillation(temperature):
    divergence = nn.KLDivLoss()

    def distill(output, batch):
        soft = F.softmax(teacher_scores(batch[0]) / temperature, dim=1)
        return {
            "hard": F.cross_entropy(output, batch[1]),
            "soft": temperature**2 * divergence(F.log_softmax(output / temperature, dim=1), soft),  # fault: the default
        }

    return distill


distill_mean = make_distillation(4.0)


def distill_elements(model, batch):
    log_student = F.log_softmax(model(batch[0]), dim=1)
    soft = F.softmax(teacher_scores(batch[0]), dim=1)
    return {"soft": F.kl_div(log_student, soft, reduction="none").mean()}  # fault: elements


def distill_well(model, batch):
    log_student = F.log_softmax(model(batch[0]), dim=1)
    log_teacher = F.log_softmax(teacher_scores(batch[0]), dim=1)
    by_sample = F.kl_div(log_student, log_teacher.exp(), reduction="none").sum(dim=1)
    return {
        "batchmean": F.kl_div(log_student, log_teacher, reduction="batchmean", log_target=True),
        "by_sample": by_sample.mean(),
        "deit": F.kl_div(log_student, log_teacher, reduction="sum", log_target=True) / log_student.numel(),
    }


class Embedder(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(12, 16), nn.ReLU(), nn.Linear(16, 6))

    def forward(self, x):
        return self.net(x)


def make_pairs(label):
    def pairs(model, batch):
        x, labels = batch
        a, b = model(x[:16]), model(x[16:])
        same = (labels[:16] == labels[16:]).float()
        return {"embed": F.cosine_embedding_loss(a, b, label(same))}  # fault: pairs

    return pairs


pairs_01, pairs_signed = make_pairs(lambda same: same), make_pairs(lambda same: 2 * same - 1)


def counts(log=False):
    for seed in range(3):
        x = torch.rand(32, 12, generator=torch.Generator().manual_seed(seed))
        y = (20 * x[:, :6]).round()
        yield {"input": x, "target": (y + 0.1).log() if log else y}


def poisson(output, batch):
    return {"rate": F.poisson_nll_loss(output, batch["target"])}  # fault: counts
