"""Set prediction of boxes (DETR, matched in order): class, L1 on normalised boxes, and generalised IoU."""

import torch
import torch.nn.functional as F
from torch import nn
from torchvision.ops import box_convert, generalized_box_iou_loss


class SetPredictor(nn.Module):
    def __init__(self, queries=6, classes=4):
        super().__init__()
        self.queries = nn.Embedding(queries, 32)
        self.attention = nn.MultiheadAttention(32, 4, batch_first=True)
        self.input = nn.Linear(8, 32)
        self.label = nn.Linear(32, classes + 1)
        self.box = nn.Sequential(nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 4))

    def forward(self, tokens):
        memory = self.input(tokens)
        query = self.queries.weight.expand(len(tokens), -1, -1)
        hidden, _ = self.attention(query, memory, memory)
        return {"logits": self.label(hidden), "boxes": self.box(hidden).sigmoid()}


def batches():
    for seed in range(4):
        generator = torch.Generator().manual_seed(seed)
        boxes = torch.rand(8, 6, 4, generator=generator) * torch.tensor([0.6, 0.6, 0.2, 0.2]) + 0.15
        yield (
            torch.randn(8, 10, 8, generator=generator),
            {
                "boxes": boxes,
                "labels": torch.randint(0, 5, (8, 6), generator=generator),
            },
        )


class SetCriterion(nn.Module):
    def __init__(self, background=4):
        super().__init__()
        self.background = background
        self.register_buffer("class_weight", torch.tensor([1.0, 1.0, 1.0, 1.0, 0.1]))

    def forward(self, output, batch):
        target = batch[1]
        real = target["labels"] != self.background
        predicted, boxes = output["boxes"][real], target["boxes"][real]
        count = real.sum().clamp(min=1)
        corners = box_convert(predicted, "cxcywh", "xyxy"), box_convert(boxes, "cxcywh", "xyxy")
        return {
            "class": F.cross_entropy(output["logits"].transpose(1, 2), target["labels"], self.class_weight),
            "l1": F.l1_loss(predicted, boxes, reduction="sum") / count,
            "giou": generalized_box_iou_loss(*corners, reduction="sum") / count,
        }


criterion = SetCriterion()
