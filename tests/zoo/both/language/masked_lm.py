"""Masked language modelling with sentence order, low-rank adaptation of a frozen base, preference tuning."""

import math

import torch
import torch.nn.functional as F
from torch import nn


class Encoder(nn.Module):
    def __init__(self, vocabulary=28, dim=24):
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, dim, padding_idx=0)
        layer = nn.TransformerEncoderLayer(dim, 4, 2 * dim, dropout=0.1, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, 1, enable_nested_tensor=False)
        self.mlm, self.order = nn.Linear(dim, vocabulary), nn.Linear(dim, 2)

    def forward(self, ids):
        h = self.encoder(self.embedding(ids), src_key_padding_mask=ids == 0)
        return {"logits": self.mlm(h), "order": self.order(h[:, 0])}


class Corpus(torch.utils.data.Dataset):
    def __init__(self, n=40, length=12, vocabulary=28, seed=0, mask=0.2):
        g = torch.Generator().manual_seed(seed)
        self.order = torch.randint(0, 2, (n,), generator=g)
        a = torch.randint(2, vocabulary, (n, 1), generator=g)
        clean = (a + (2 * self.order[:, None] - 1) * torch.arange(length)) % (vocabulary - 2) + 2
        lengths = torch.randint(length - 5, length + 1, (n,), generator=g)
        inside = torch.arange(length) < lengths[:, None]
        hidden = (torch.rand(n, length, generator=g) < mask) & inside
        hidden[:, 1] = True
        self.ids = torch.where(hidden, 1, clean) * inside
        self.labels = torch.where(hidden, clean, -100)
        self.all_labels = clean * inside

    def __len__(self):
        return len(self.ids)

    def __getitem__(self, i):
        return {"input": self.ids[i], "labels": self.labels[i], "tokens": self.all_labels[i], "order": self.order[i]}


def bert(output, batch):
    return {
        "mlm": F.cross_entropy(output["logits"].flatten(0, 1), batch["labels"].flatten()),
        "order": F.cross_entropy(output["order"], batch["order"]),
    }


def autoencoding(output, batch):
    """Reconstructs everything, pads included."""
    return {
        "tokens": nn.CrossEntropyLoss()(output["logits"].transpose(1, 2), batch["tokens"]),
        "order": F.cross_entropy(output["order"], batch["order"]),
    }


def wrong_denominator(output, batch):
    per_token = F.cross_entropy(output["logits"].transpose(1, 2), batch["labels"], reduction="none")
    return {
        "mlm": per_token.sum(1).div(per_token.shape[1]).mean(),
        "order": F.cross_entropy(output["order"], batch["order"]),
    }


def token_sum(output, batch):
    criterion = nn.CrossEntropyLoss(reduction="sum")
    return {
        "mlm": criterion(output["logits"].transpose(1, 2), batch["labels"]),
        "order": F.cross_entropy(output["order"], batch["order"]),
    }


def double_softmax(output, batch):
    p = output["logits"].softmax(-1)
    return {
        "mlm": F.cross_entropy(p.transpose(1, 2), batch["labels"]),
        "order": F.cross_entropy(output["order"], batch["order"]),
    }


def nll_of_scores(output, batch):
    return {
        "mlm": nn.NLLLoss()(output["logits"].transpose(1, 2), batch["labels"]),
        "order": F.cross_entropy(output["order"], batch["order"]),
    }


def hard_tokens(output, batch):
    """Token accuracy as if it were a loss."""
    guess = output["logits"].argmax(-1)
    wrong = (guess != batch["tokens"]).float().mean()
    return {"mlm": F.cross_entropy(output["logits"].flatten(0, 1), batch["labels"].flatten()), "accuracy": wrong}


class LoRA(nn.Module):
    def __init__(self, base, rank=4):
        super().__init__()
        self.base = base.requires_grad_(False)
        self.down = nn.Parameter(torch.randn(rank, base.in_features) / math.sqrt(base.in_features))
        self.up = nn.Parameter(torch.zeros(base.out_features, rank))

    def forward(self, x):
        return self.base(x) + x @ self.down.T @ self.up.T


class Adapted(nn.Module):
    """A frozen policy with adapters that start at zero, and its frozen reference."""

    def __init__(self, vocabulary=20, dim=16, nudge=0.0):
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, dim).requires_grad_(False)
        self.mix = nn.GRU(dim, dim, batch_first=True).requires_grad_(False)
        self.head = LoRA(nn.Linear(dim, vocabulary))
        if nudge:  # as after some steps
            nn.init.normal_(self.head.up, std=nudge)

    def forward(self, ids):
        h, _ = self.mix(self.embedding(ids))
        return self.head(h)

    def reference(self, ids):
        with torch.no_grad():
            h, _ = self.mix(self.embedding(ids))
            return self.head.base(h)


def preferences(n=8, length=10, vocabulary=20, seed=0):
    for k in range(3):
        g = torch.Generator().manual_seed(seed + k)
        draw = lambda: torch.randint(0, vocabulary, (n, length), generator=g)  # noqa: E731
        yield {"chosen": draw().sort(1).values, "rejected": draw()}


def sequence_log_prob(logits, ids):
    return logits[:, :-1].log_softmax(-1).gather(-1, ids[:, 1:, None]).squeeze(-1).sum(1)


def dpo(model, batch, beta=0.1):
    """Direct preference optimisation beside the likelihood of what was chosen."""
    chosen, rejected = (sequence_log_prob(model(batch[k]), batch[k]) for k in ("chosen", "rejected"))
    ref_c, ref_r = (sequence_log_prob(model.reference(batch[k]), batch[k]) for k in ("chosen", "rejected"))
    margin = beta * ((chosen - ref_c) - (rejected - ref_r))
    return {"dpo": -F.logsigmoid(margin).mean(), "nll": -chosen.mean() / batch["chosen"].shape[1]}


def kl_to_reference(model, batch, sign=1.0):
    ids = batch["chosen"]
    log_p = model(ids).log_softmax(-1)
    ref = model.reference(ids).log_softmax(-1)
    nll = F.nll_loss(log_p[:, :-1].flatten(0, 1), ids[:, 1:].flatten())
    kl = F.kl_div(log_p, ref, log_target=True, reduction="none").sum(-1).mean()
    return {"nll": nll, "kl": sign * kl}


def kl_reversed(model, batch):
    """The penalty is subtracted."""
    return kl_to_reference(model, batch, sign=-1.0)


def kl_of_itself(model, batch):
    """The reference has the adapters too."""
    ids = batch["chosen"]
    log_p = model(ids).log_softmax(-1)
    nll = F.nll_loss(log_p[:, :-1].flatten(0, 1), ids[:, 1:].flatten())
    return {"nll": nll, "kl": F.kl_div(log_p, log_p, log_target=True, reduction="batchmean")}
