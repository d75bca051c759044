"""A sequence tagger that is called as model(**batch), returns an object, and is trained with two heads."""

from types import SimpleNamespace

import torch
import torch.nn.functional as F
from torch import nn


class Tagger(nn.Module):
    def __init__(self, dim=24):
        super().__init__()
        self.embedding = nn.Embedding(50, dim)
        layer = nn.TransformerEncoderLayer(dim, 4, 2 * dim, dropout=0.1, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, 1, enable_nested_tensor=False)
        self.tags = nn.Linear(dim, 7)
        self.intent = nn.Linear(dim, 3)

    def forward(self, input_ids, attention_mask, tags, intent):
        x = self.encoder(self.embedding(input_ids), src_key_padding_mask=attention_mask == 0)
        pooled = (x * attention_mask[..., None]).sum(1) / attention_mask.sum(1, keepdim=True)
        return SimpleNamespace(tag_logits=self.tags(x), intent_logits=self.intent(pooled))


def batches():
    for seed in range(4):
        generator = torch.Generator().manual_seed(seed)
        ids = torch.randint(1, 50, (8, 10), generator=generator)
        mask = (torch.arange(10) < torch.randint(5, 11, (8, 1), generator=generator)).long()
        yield {
            "input_ids": ids * mask,
            "attention_mask": mask,
            "tags": (ids % 7).masked_fill(mask == 0, -100),
            "intent": ids[:, 0] % 3,
        }


class MultiTaskLoss:
    def __call__(self, output, batch):
        return {
            "tagging": F.cross_entropy(output.tag_logits.transpose(1, 2), batch["tags"], ignore_index=-100),
            "intent": F.cross_entropy(output.intent_logits, batch["intent"]),
        }


compute_loss = MultiTaskLoss()
