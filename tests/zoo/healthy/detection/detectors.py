"""Detectors in miniature: RetinaNet, CenterNet, DETR and SSD losses with their published normalisers and weights."""

import torch
import torch.nn.functional as F
from torch import nn
from torchvision.ops import generalized_box_iou, generalized_box_iou_loss, sigmoid_focal_loss


class Grid(nn.Module):
    def __init__(self, classes=4, width=16, heads=("cls", "box"), prior=-2.2):
        super().__init__()
        self.trunk = nn.Sequential(
            nn.Conv2d(3, width, 3, 2, 1),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.Conv2d(width, 2 * width, 3, 2, 1),
            nn.BatchNorm2d(2 * width),
            nn.ReLU(),
        )
        channels = {"cls": classes, "box": 4, "offset": 2, "size": 2, "background": classes + 1}
        self.heads = nn.ModuleDict({name: nn.Conv2d(2 * width, channels[name], 3, padding=1) for name in heads})
        for name in {"cls"} & set(heads):
            nn.init.constant_(self.heads[name].bias, prior)

    def forward(self, x):
        f = self.trunk(x)
        return {name: head(f).flatten(2).transpose(1, 2) for name, head in self.heads.items()}


class Rectangles(torch.utils.data.Dataset):
    def __init__(self, n=24, size=32, classes=4, seed=0, stride=4):
        g = torch.Generator().manual_seed(seed)
        self.items, cells = [], size // stride
        ys, xs = torch.meshgrid(torch.arange(cells), torch.arange(cells), indexing="ij")
        for _ in range(n):
            image = 0.2 * torch.randn(3, size, size, generator=g)
            label, box = torch.full((cells * cells,), -1), torch.zeros(cells * cells, 4)
            heat = torch.zeros(cells * cells, classes)
            for _ in range(int(torch.randint(1, 4, (), generator=g))):
                w, h = torch.randint(6, size // 2, (2,), generator=g).tolist()
                x, y = (
                    int(torch.randint(0, size - w, (), generator=g)),
                    int(torch.randint(0, size - h, (), generator=g)),
                )
                c = int(torch.randint(0, classes, (), generator=g))
                image[:, y : y + h, x : x + w] += torch.eye(3)[c % 3][:, None, None] * (1 + c // 3)
                cy, cx = (y + h // 2) // stride, (x + w // 2) // stride
                cell = cy * cells + cx
                label[cell] = c
                box[cell] = torch.tensor([x, y, x + w, y + h]) / size
                bump = torch.exp(-((ys - cy) ** 2 + (xs - cx) ** 2).flatten() / 2)
                heat[:, c] = torch.maximum(heat[:, c], bump)
            self.items.append((image, {"label": label, "box": box, "heat": heat}))

    def __len__(self):
        return len(self.items)

    def __getitem__(self, i):
        return self.items[i]


def boxes(raw):
    xy, wh = raw.sigmoid().chunk(2, -1)
    return torch.cat([xy - wh / 2, xy + wh / 2], -1)


def retinanet(output, batch):
    """Focal over all anchors, divided by the positives only, as in the paper."""
    label, box = batch[1]["label"], batch[1]["box"]
    positive = label >= 0
    count = positive.sum().clamp(min=1)
    onehot = F.one_hot(label.clamp(min=0), output["cls"].shape[-1]).float() * positive.unsqueeze(-1)
    return {
        "cls": sigmoid_focal_loss(output["cls"], onehot, reduction="sum") / count,
        "box": F.l1_loss(boxes(output["box"])[positive], box[positive], reduction="sum") / count,
    }


def times_batch_size(model, batch):
    """YOLOv5 multiplies its loss by the batch size."""
    images, target = batch
    out = model(images)
    positive = target["label"] >= 0
    iou_loss = generalized_box_iou_loss(
        boxes(out["box"])[positive], target["box"][positive], reduction="mean", eps=1e-6
    )
    onehot = F.one_hot(target["label"].clamp(min=0), out["cls"].shape[-1]).float() * positive.unsqueeze(-1)
    cls = F.binary_cross_entropy_with_logits(out["cls"], onehot)
    return {"box": iou_loss * len(images), "cls": cls * len(images)}


def centernet(output, batch):
    """Penalty-reduced focal on heatmaps, L1 on sizes and offsets at the peaks."""
    heat, label, box = batch[1]["heat"], batch[1]["label"], batch[1]["box"]
    p = output["cls"].sigmoid().clamp(1e-4, 1 - 1e-4)
    peak = heat.eq(1).float()
    count = peak.sum().clamp(min=1)
    pos = (p.log() * (1 - p).pow(2) * peak).sum()
    neg = ((1 - p).log() * p.pow(2) * (1 - heat).pow(4) * (1 - peak)).sum()
    at = label >= 0
    size = box[at][:, 2:] - box[at][:, :2]
    centre = (box[at][:, 2:] + box[at][:, :2]) / 2
    cells = round(heat.shape[1] ** 0.5)
    return {
        "heat": -(pos + neg) / count,
        "size": F.l1_loss(output["size"][at], size, reduction="sum") / count,
        "offset": F.l1_loss(output["offset"][at], (centre * cells) % 1, reduction="sum") / count,
    }


def detr(model, batch):
    """Greedy instead of Hungarian matching; cross-entropy with a weight of 0.1 for background; L1 5, GIoU 2."""
    images, target = batch
    out = model(images)
    predicted = boxes(out["box"])
    chosen, labels, goals = [], torch.full(target["label"].shape, out["background"].shape[-1] - 1), []
    for i in range(len(images)):
        objects = (target["label"][i] >= 0).nonzero().flatten()
        with torch.no_grad():
            cost = torch.cdist(target["box"][i][objects], predicted[i], p=1)
        for k, j in enumerate(objects.tolist()):
            query = int(cost[k].argmin())
            cost[:, query] = float("inf")
            chosen.append((i, query))
            labels[i, query] = target["label"][i, j]
            goals.append(target["box"][i, j])
    rows, columns = (torch.tensor(index) for index in zip(*chosen))
    matched, goal = predicted[rows, columns], torch.stack(goals)
    weight = torch.ones(out["background"].shape[-1])
    weight[-1] = 0.1
    return {
        "loss_ce": F.cross_entropy(out["background"].transpose(1, 2), labels, weight),
        "loss_bbox": F.l1_loss(matched, goal, reduction="none").sum() / len(goal),
        "loss_giou": (1 - torch.diag(generalized_box_iou(matched, goal))).sum() / len(goal),
    }


class MultiBoxLoss(nn.Module):
    """SSD: three negatives for every positive, the hardest ones."""

    def __init__(self, ratio=3):
        super().__init__()
        self.ratio = ratio

    def forward(self, out, target):
        label = torch.where(target["label"] >= 0, target["label"] + 1, 0)
        positive = label > 0
        ce = F.cross_entropy(out["background"].transpose(1, 2), label, reduction="none")
        rank = ce.detach().masked_fill(positive, -1).argsort(1, descending=True).argsort(1)
        hard = rank < self.ratio * positive.sum(1, keepdim=True)
        n = positive.sum().clamp(min=1)
        loc = F.smooth_l1_loss(out["box"][positive], target["box"][positive], reduction="sum")
        return {"conf": ce[positive | hard].sum() / n, "loc": loc / n}


multibox = MultiBoxLoss()


def ssd(output, batch):
    return multibox(output, batch[1])
