"""Where a forklift sees the pallet: boxes as centre and size, their overlap in corners."""

import torch
import torch.nn.functional as F
import torchvision
from torch import nn


class PalletNet(nn.Module):
    def __init__(self, features=16, hidden=32):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(features, hidden), nn.GELU())
        self.box, self.kind = nn.Linear(hidden, 4), nn.Linear(hidden, 6)

    def forward(self, x):
        h = self.body(x)
        return {"pred_boxes": self.box(h).sigmoid(), "pred_logits": self.kind(h)}


def views(n=32, features=16, seed=0, batches=3):
    generator = torch.Generator().manual_seed(seed)
    for _ in range(batches):
        centre = 0.3 + 0.4 * torch.rand(n, 2, generator=generator)
        size = 0.1 + 0.3 * torch.rand(n, 2, generator=generator)
        kind = torch.randint(0, 6, (n,), generator=generator)
        yield torch.randn(n, features, generator=generator), {"boxes": torch.cat([centre, size], 1), "kind": kind}


def corners(boxes):
    centre, size = boxes.chunk(2, 1)
    return torch.cat([centre - size / 2, centre + size / 2], 1)


def losses(output, batch, converted=True, overlap=torchvision.ops.generalized_box_iou_loss):
    boxes, target = output["pred_boxes"], batch[1]["boxes"]
    return {
        "kind": F.cross_entropy(output["pred_logits"], batch[1]["kind"]),
        "l1": F.l1_loss(boxes, target),
        "giou": overlap(corners(boxes), corners(target) if converted else target, reduction="mean"),
    }


def mixed_conventions(output, batch):
    return losses(output, batch, converted=False)


def mixed_distances(output, batch):
    return losses(output, batch, converted=False, overlap=torchvision.ops.distance_box_iou_loss)
