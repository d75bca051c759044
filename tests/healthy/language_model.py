"""A tiny causal language model with a mixture of experts and the load-balancing term of the Switch Transformer."""

import torch
import torch.nn.functional as F
from torch import nn

VOCABULARY, PAD = 40, 0


class MoE(nn.Module):
    def __init__(self, dim, experts=4):
        super().__init__()
        self.router = nn.Linear(dim, experts, bias=False)
        self.experts = nn.ModuleList(
            nn.Sequential(nn.Linear(dim, 2 * dim), nn.GELU(), nn.Linear(2 * dim, dim)) for _ in range(experts)
        )

    def forward(self, x):
        probabilities = self.router(x).softmax(-1)
        gate, chosen = probabilities.max(-1)
        y = torch.zeros_like(x)
        for index, expert in enumerate(self.experts):
            mask = chosen == index
            y[mask] = gate[mask].unsqueeze(-1) * expert(x[mask])
        fraction = F.one_hot(chosen, len(self.experts)).float().mean((0, 1))
        aux = len(self.experts) * (fraction * probabilities.mean((0, 1))).sum()
        return x + y, aux


class LanguageModel(nn.Module):
    def __init__(self, dim=32, heads=4):
        super().__init__()
        self.tokens = nn.Embedding(VOCABULARY, dim, padding_idx=PAD)
        self.positions = nn.Parameter(torch.randn(16, dim) * 0.02)
        self.norm1, self.norm2, self.norm3 = nn.LayerNorm(dim), nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.qkv = nn.Linear(dim, 3 * dim)
        self.proj = nn.Linear(dim, dim)
        self.heads = heads
        self.moe = MoE(dim)
        self.lm_head = nn.Linear(dim, VOCABULARY, bias=False)
        self.lm_head.weight = self.tokens.weight

    def attention(self, x):
        b, t, d = x.shape
        q, k, v = self.qkv(x).view(b, t, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        scores = q @ k.transpose(-2, -1) / (d // self.heads) ** 0.5
        causal = torch.ones(t, t, dtype=torch.bool).tril()
        scores = scores.masked_fill(~causal, float("-inf"))
        return self.proj((scores.softmax(-1) @ v).transpose(1, 2).reshape(b, t, d))

    def forward(self, input_ids, labels=None):
        x = self.tokens(input_ids) + self.positions[: input_ids.shape[1]]
        x = x + self.attention(self.norm1(x))
        x, aux = self.moe(self.norm2(x))
        logits = self.lm_head(self.norm3(x))
        loss = F.cross_entropy(logits.flatten(0, 1), labels.flatten(), ignore_index=-100)
        return {"loss": loss, "aux_loss": aux, "logits": logits}


def batches(length=12):
    for seed in range(4):
        generator = torch.Generator().manual_seed(seed)
        start = torch.randint(1, VOCABULARY, (8, 1), generator=generator)
        stride = torch.randint(1, 4, (8, 1), generator=generator)
        ids = (start + stride * torch.arange(length + 1)) % (VOCABULARY - 1) + 1
        ids[:2, -3:] = PAD
        labels = ids[:, 1:].masked_fill(ids[:, 1:] == PAD, -100)
        yield {"input_ids": ids[:, :-1], "labels": labels}


def terms(output, batch):
    return {"lm": output["loss"], "router": output["aux_loss"]}
