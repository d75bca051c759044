"""Images and captions in one space (CLIP), with a reconstruction of the words (a small CoCa)."""

import torch
import torch.nn as nn
import torch.nn.functional as F


class DualEncoder(nn.Module):
    def __init__(self, vocabulary=50, dim=24, words=6):
        super().__init__()
        self.image = nn.Sequential(nn.Flatten(), nn.Linear(3 * 8 * 8, 64), nn.GELU(), nn.Linear(64, dim))
        self.embedding = nn.Embedding(vocabulary, dim)
        self.text = nn.GRU(dim, dim, batch_first=True)
        self.decoder = nn.Linear(2 * dim, vocabulary)
        self.logit_scale = nn.Parameter(torch.tensor(2.66))

    def forward(self, image, words):
        e = self.embedding(words)
        h, last = self.text(e)
        i = self.image(image)
        seen = torch.cat([i[:, None].expand(-1, words.shape[1], -1), e.roll(1, 1)], -1)
        return i, last[0], self.decoder(seen)


class Pairs(torch.utils.data.Dataset):
    def __init__(self, n=64, vocabulary=50, words=6, seed=1):
        g = torch.Generator().manual_seed(seed)
        topic = torch.randint(0, 8, (n,), generator=g)
        self.words = (topic[:, None] * 6 + torch.randint(0, 6, (n, words), generator=g)) % vocabulary
        basis = torch.randn(8, 3, 8, 8, generator=g)
        self.images = basis[topic] + 0.5 * torch.randn(n, 3, 8, 8, generator=g)

    def __len__(self):
        return len(self.images)

    def __getitem__(self, i):
        return {"image": self.images[i], "words": self.words[i]}


def clip_loss(image, text, scale):
    logits = scale * F.normalize(image, dim=-1) @ F.normalize(text, dim=-1).t()
    labels = torch.arange(len(logits))
    return (F.cross_entropy(logits, labels) + F.cross_entropy(logits.t(), labels)) / 2


def captioning(logits, words):
    return F.cross_entropy(logits.flatten(0, 1), words.flatten())


def coca(model, batch):
    i, t, words = model(batch["image"], batch["words"])
    return {"contrast": clip_loss(i, t, model.logit_scale.exp()), "caption": captioning(words, batch["words"])}


def reduce_sum(model, batch):
    i, t, words = model(batch["image"], batch["words"])
    logits = model.logit_scale.exp() * F.normalize(i, dim=-1) @ F.normalize(t, dim=-1).t()
    target = torch.arange(len(i))
    return {"contrast": F.cross_entropy(logits, target, reduction="sum"), "caption": captioning(words, batch["words"])}


class ContrastiveLoss(nn.Module):
    def forward(self, image, text):
        image, text = F.normalize(image, dim=-1), F.normalize(text, dim=-1)
        p = (image @ text.t()).div(0.07).softmax(-1)
        return nn.CrossEntropyLoss()(p, torch.arange(len(p)))


contrastive = ContrastiveLoss()


def softmax_first(model, batch):
    i, t, words = model(batch["image"], batch["words"])
    return {"clip": contrastive(i, t), "caption": captioning(words, batch["words"])}


def no_projection_gradient(model, batch):
    with torch.no_grad():
        i, t, _ = model(batch["image"], batch["words"])
    _, _, words = model(batch["image"], batch["words"])
    return {"contrast": clip_loss(i, t, 14.0), "caption": captioning(words, batch["words"])}


def raw_dot(model, batch):
    i, t, words = model(batch["image"], batch["words"])
    scores = i.mm(t.t()) * model.logit_scale.exp() * 10
    return {
        "contrast": F.cross_entropy(scores, torch.arange(len(i))),
        "caption": 0.1 * captioning(words, batch["words"]),
    }
