"""A small causal transformer with a mixture of experts and a z-loss; batches of sentences padded to one length."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.checkpoint import checkpoint

PAD = 0


class Router(nn.Module):
    def __init__(self, dim, experts):
        super().__init__()
        self.gate = nn.Linear(dim, experts, bias=False)
        self.experts = nn.ModuleList(
            nn.Sequential(nn.Linear(dim, dim), nn.SiLU(), nn.Linear(dim, dim)) for _ in range(experts)
        )

    def forward(self, x):
        p = self.gate(x).softmax(-1)
        top, index = p.topk(2, dim=-1)
        y = sum(expert(x) * (top * (index == e)).sum(-1, keepdim=True) for e, expert in enumerate(self.experts))
        load = F.one_hot(index, len(self.experts)).float().mean((0, 1, 2))
        balance = len(self.experts) * (load * p.mean((0, 1))).sum()
        return y, balance


class Block(nn.Module):
    def __init__(self, dim, heads, experts):
        super().__init__()
        self.n1, self.n2 = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.attention = nn.MultiheadAttention(dim, heads, batch_first=True)
        self.moe = Router(dim, experts)

    def forward(self, x, padding):
        n = x.shape[1]
        mask = torch.ones(n, n, dtype=torch.bool).triu(1)
        h = self.n1(x)
        a, _ = self.attention(h, h, h, attn_mask=mask, key_padding_mask=padding, need_weights=False)
        x = x + a
        y, balance = self.moe(self.n2(x))
        return x + y, balance


class LM(nn.Module):
    def __init__(self, vocabulary=32, dim=16, heads=2, experts=3, layers=2, checkpointing=False, ignore=True):
        super().__init__()
        self.tokens = nn.Embedding(vocabulary, dim)
        self.position = nn.Embedding(64, dim)
        self.blocks = nn.ModuleList(Block(dim, heads, experts) for _ in range(layers))
        self.norm = nn.LayerNorm(dim)
        self.head = nn.Linear(dim, vocabulary, bias=False)
        self.checkpointing = checkpointing

    def forward(self, ids):
        padding = ids == PAD
        padding = padding & (padding.cumsum(1) > 0)
        x = self.tokens(ids) + self.position.weight[: ids.shape[1]]
        aux = 0.0
        for block in self.blocks:
            if self.checkpointing:
                x, balance = checkpoint(block, x, padding, use_reentrant=False)
            else:
                x, balance = block(x, padding)
            aux = aux + balance
        return self.head(self.norm(x)), aux / len(self.blocks)


def sentences(n=8, length=14, vocabulary=32, seed=0, padded=True):
    for k in range(3):
        g = torch.Generator().manual_seed(seed + k)
        start = torch.randint(1, vocabulary, (n, 1), generator=g)
        step = torch.randint(1, 4, (n, 1), generator=g)
        ids = (start + step * torch.arange(length)) % (vocabulary - 1) + 1
        if padded:
            lengths = torch.randint(length // 2, length + 1, (n,), generator=g)
            ids = ids * (torch.arange(length) < lengths[:, None])
        yield {"ids": ids}


def shifted(model, batch):
    ids = batch["ids"]
    logits, aux = model(ids[:, :-1])
    return logits, ids[:, 1:], aux


def good(model, batch):
    logits, labels, aux = shifted(model, batch)
    z = logits.logsumexp(-1)[labels != PAD].pow(2).mean()
    ce = F.cross_entropy(logits.flatten(0, 1), labels.flatten(), ignore_index=PAD)
    return {"lm": ce, "balance": aux, "z": z}


def masked_by_hand(model, batch):
    logits, labels, aux = shifted(model, batch)
    mask = (labels != PAD).float()
    log_p = logits.log_softmax(-1).gather(-1, labels.unsqueeze(-1)).squeeze(-1)
    return {"lm": -(log_p * mask).sum() / mask.sum(), "balance": aux}


def padding_is_learnt(model, batch):
    """No ignore_index: every pad is a label."""
    logits, labels, aux = shifted(model, batch)
    return {"lm": F.cross_entropy(logits.flatten(0, 1), labels.flatten()), "balance": aux}


def mean_over_padding(model, batch):
    """Ignored in the numerator only."""
    logits, labels, aux = shifted(model, batch)
    token = F.cross_entropy(logits.transpose(1, 2), labels, ignore_index=PAD, reduction="none")
    return {"lm": token.mean(), "balance": aux}


def summed_tokens(model, batch):
    logits, labels, aux = shifted(model, batch)
    lm = F.cross_entropy(logits.flatten(0, 1), labels.flatten(), ignore_index=PAD, reduction="sum")
    return {"lm": lm, "balance": aux}


def router_logged_only(model, batch):
    """The auxiliary loss is a number for the logger by the time it is added."""
    logits, labels, aux = shifted(model, batch)
    return {"lm": F.cross_entropy(logits.flatten(0, 1), labels.flatten(), ignore_index=PAD), "balance": aux.item()}


def softmax_head(model, batch):
    logits, labels, aux = shifted(model, batch)
    probs = torch.softmax(logits, dim=-1)
    return {"lm": nn.CrossEntropyLoss(ignore_index=PAD)(probs.flatten(0, 1), labels.flatten()), "balance": aux}


def nll_of_probabilities(model, batch):
    logits, labels, aux = shifted(model, batch)
    return {
        "lm": F.nll_loss(F.softmax(logits, dim=-1).flatten(0, 1), labels.flatten(), ignore_index=PAD),
        "balance": aux,
    }


def total(model, batch):
    parts = good(model, batch)
    return parts["lm"] + 0.01 * parts["balance"] + 1e-4 * parts["z"]


def total_without_router(model, batch):
    """The auxiliary losses are computed, logged and never added."""
    parts = good(model, batch)
    return parts["lm"] + 1e-4 * parts["z"]


def total_with_flag(model, batch, weights):
    """Coefficients are only asked whether they are there."""
    parts = good(model, batch)
    loss = weights["lm"] * parts["lm"]
    if weights["balance"] > 0:
        loss = loss + 0.01 * parts["balance"]
    if weights["z"] > 0:
        loss = loss + weights["z"] * parts["z"]
    return loss


def total_from_weights(model, batch, weights):
    parts = good(model, batch)
    return sum(weights[name] * part for name, part in parts.items())
