"""Distillation of a sequence tagger: soft labels for every token, attention maps, hidden states (TinyBERT)."""

import torch
from torch import nn
from torch.nn import functional as F


class Tagger(nn.Module):
    def __init__(self, vocabulary=30, dim=16, tags=7, dropout=0.0):
        super().__init__()
        self.embed = nn.Embedding(vocabulary, dim)
        self.qk = nn.Linear(dim, 2 * dim)
        self.mix = nn.Sequential(nn.Linear(dim, dim), nn.GELU(), nn.Dropout(dropout))
        self.out = nn.Linear(dim, tags)

    def forward(self, ids):
        x = self.embed(ids)
        q, k = self.qk(x).chunk(2, -1)
        attention = (q @ k.mT / q.shape[-1] ** 0.5).softmax(-1)
        h = x + self.mix(attention @ x)
        return self.out(h), attention, h


class Pair(nn.Module):
    """A student and its teacher."""

    def __init__(self, tags=7, dim=16, teacher_dim=48, teacher_frozen=True, teacher_dropout=0.0):
        super().__init__()
        self.student = Tagger(dim=dim, tags=tags)
        self.teacher = Tagger(dim=teacher_dim, tags=tags, dropout=teacher_dropout)
        self.project = nn.Linear(dim, teacher_dim)
        with torch.no_grad():
            self.teacher.out.weight.mul_(4)
        if teacher_frozen:
            for p in self.teacher.parameters():
                p.requires_grad = False


class Sentences(torch.utils.data.Dataset):
    def __init__(self, n=48, length=9, vocabulary=30, tags=7, seed=0):
        g = torch.Generator().manual_seed(seed)
        self.ids = torch.randint(0, vocabulary, (n, length), generator=g)
        self.tags = (self.ids + self.ids.roll(1, 1)) % tags

    def __len__(self):
        return len(self.ids)

    def __getitem__(self, i):
        return self.ids[i], self.tags[i]


class SoftCrossEntropy(nn.Module):
    def __init__(self, temperature=2.0):
        super().__init__()
        self.t = temperature

    def forward(self, student, teacher):
        p = (teacher / self.t).softmax(-1)
        return -(p * (student / self.t).log_softmax(-1)).sum(-1).mean() * self.t**2


soft_ce = SoftCrossEntropy()


def tiny(model, batch):
    ids, tags = batch
    s, a_s, h_s = model.student(ids)
    with torch.no_grad():
        t, a_t, h_t = model.teacher(ids)
    return {
        "soft": soft_ce(s, t),
        "hard": F.cross_entropy(s.flatten(0, 1), tags.flatten()),
        "attention": 10 * F.mse_loss(a_s, a_t),
        "hidden": F.mse_loss(model.project(h_s), h_t),
    }


def default_reduction(model, batch):
    ids, tags = batch
    s, _, _ = model.student(ids)
    with torch.no_grad():
        t, _, _ = model.teacher(ids)
    criterion = nn.KLDivLoss(log_target=True)
    return {
        "soft": criterion(s.log_softmax(-1), t.log_softmax(-1)),
        "hard": F.cross_entropy(s.transpose(1, 2), tags),
    }


def teacher_logs_forgotten(model, batch):
    ids, tags = batch
    s, _, _ = model.student(ids)
    with torch.no_grad():
        t, _, _ = model.teacher(ids)
    kl = F.kl_div(s, t.softmax(-1), reduction="batchmean")
    return {"soft": kl / ids.shape[1], "hard": F.cross_entropy(s.transpose(1, 2), tags)}


def unnormalised_target(model, batch):
    ids, tags = batch
    s, _, _ = model.student(ids)
    with torch.no_grad():
        t, _, _ = model.teacher(ids)
    kl = nn.KLDivLoss(reduction="sum")(s.log_softmax(-1), t) / ids.numel()
    return {"soft": kl, "hard": F.cross_entropy(s.transpose(1, 2), tags)}


def teacher_learns(model, batch):
    """The teacher is called like the student, and its hidden states follow."""
    ids, tags = batch
    s, _, h_s = model.student(ids)
    t, _, h_t = model.teacher(ids)
    return {
        "soft": soft_ce(s, t.detach()),
        "hard": F.cross_entropy(s.flatten(0, 1), tags.flatten()),
        "hidden": F.mse_loss(model.project(h_s), h_t),
    }


def noisy_teacher(model, batch):
    """The teacher's dropout is on: nobody has called eval()."""
    ids, tags = batch
    s, _, h_s = model.student(ids)
    with torch.no_grad():
        t, _, h_t = model.teacher(ids)
    return {
        "soft": soft_ce(s, t),
        "hard": F.cross_entropy(s.flatten(0, 1), tags.flatten()),
        "hidden": F.smooth_l1_loss(model.project(h_s), h_t),
    }
