"""A one-stage detector on a grid of anchors: class, objectness and box terms, and what they are divided by."""

import torch
import torch.nn.functional as F
from torch import nn
from torchvision.ops import generalized_box_iou


class Detector(nn.Module):
    """Per cell of a stride-8 grid: classes, objectness, and a box as centre offsets and log sizes."""

    def __init__(self, classes=5, width=16, heads=("cls", "box"), prior=True):
        super().__init__()
        self.classes = classes
        self.backbone = nn.Sequential(
            nn.Conv2d(3, width, 3, 2, 1),
            nn.SiLU(),
            nn.Conv2d(width, 2 * width, 3, 2, 1),
            nn.SiLU(),
            nn.Conv2d(2 * width, 2 * width, 3, 2, 1),
            nn.SiLU(),
        )
        channels = {"cls": classes, "obj": 1, "box": 4}
        self.heads = nn.ModuleDict({head: nn.Conv2d(2 * width, channels[head], 3, padding=1) for head in heads})
        if prior and "cls" in heads:
            nn.init.constant_(self.heads["cls"].bias, -4.6)

    def forward(self, images):
        f = self.backbone(images)
        out = {name: head(f).flatten(2).transpose(1, 2) for name, head in self.heads.items()}
        return out | ({"obj": out["obj"].squeeze(-1)} if "obj" in out else {})


class Boxes(torch.utils.data.Dataset):
    """Images with one to three coloured rectangles; targets are assigned to the cells of their centres."""

    def __init__(self, n=16, size=64, classes=5, seed=0, empty=0, every=0, pixels=False):
        g = torch.Generator().manual_seed(seed)
        self.items = []
        cells = size // 8
        for i in range(n):
            image = 0.1 * torch.rand(3, size, size, generator=g)
            label = torch.full((cells * cells,), -1)
            box = torch.zeros(cells * cells, 4)
            for _ in range(0 if i < empty or (every and i % every == 1) else int(torch.randint(1, 4, (), generator=g))):
                w, h = (torch.randint(8, size // 2, (2,), generator=g)).tolist()
                x, y = (
                    int(torch.randint(0, size - w, (), generator=g)),
                    int(torch.randint(0, size - h, (), generator=g)),
                )
                c = int(torch.randint(0, classes, (), generator=g))
                image[:, y : y + h, x : x + w] = torch.linspace(0.2, 1, classes)[c]
                cell = (y + h // 2) // 8 * cells + (x + w // 2) // 8
                label[cell] = c
                xyxy = torch.tensor([x, y, x + w, y + h], dtype=torch.float)
                box[cell] = xyxy if pixels else xyxy / size
            self.items.append((image, {"label": label, "box": box}))

    def __len__(self):
        return len(self.items)

    def __getitem__(self, i):
        return self.items[i]


def one_empty_batch(n=4, batch=3, seed=0, size=64):
    """The third batch shows nothing but background."""
    full, empty = Boxes(n * batch, size, seed=seed), Boxes(batch, size, seed=seed, empty=batch)
    for i in range(n):
        source, start = (empty, 0) if i == 2 else (full, i * batch)
        yield torch.utils.data.default_collate([source[start + k] for k in range(batch)])


def focal(logits, target, alpha=0.25, gamma=2.0):
    p = logits.sigmoid()
    ce = F.binary_cross_entropy_with_logits(logits, target, reduction="none")
    p_t = torch.where(target > 0, p, 1 - p)
    return torch.where(target > 0, alpha, 1 - alpha) * (1 - p_t) ** gamma * ce


def one_hot(label, classes):
    return F.one_hot(label.clamp(min=0), classes).float() * (label >= 0).unsqueeze(-1)


def unnormalised_classes(output, batch):
    label, box = batch[1]["label"], batch[1]["box"]
    positive = label >= 0
    return {
        "classification": focal(output["cls"], one_hot(label, output["cls"].shape[-1])).sum(),
        "regression": F.smooth_l1_loss(output["box"][positive], box[positive]),
    }


def bce_summed_step(model, batch):
    images, target = batch
    out = model(images)
    positive = target["label"] >= 0
    cls = F.binary_cross_entropy_with_logits(out["cls"], one_hot(target["label"], model.classes), reduction="sum")
    return {"cls_loss": cls, "box_loss": F.smooth_l1_loss(out["box"][positive], target["box"][positive])}


def divided_by_positives(output, batch):
    """RetinaNet's normaliser without the max(1, ·): an image without boxes divides by zero."""
    label, box = batch[1]["label"], batch[1]["box"]
    positive = label >= 0
    n = positive.sum()
    return {
        "cls": focal(output["cls"], one_hot(label, output["cls"].shape[-1])).sum() / n,
        "box": F.l1_loss(output["box"][positive], box[positive], reduction="sum") / n,
    }


def mean_over_positives(model, batch):
    images, target = batch
    out = model(images)
    positive = target["label"] >= 0
    obj = F.binary_cross_entropy_with_logits(out["obj"], positive.float())
    box = F.smooth_l1_loss(out["box"][positive], target["box"][positive])
    return {"obj": obj, "box": box}


def box_in_pixels(output, batch):
    label, box = batch[1]["label"], batch[1]["box"]
    positive = label >= 0
    n = positive.sum().clamp(min=1)
    return {
        "cls": focal(output["cls"], one_hot(label, output["cls"].shape[-1])).sum() / n,
        "box": (output["box"] - box)[positive].square().sum() / n,
    }


def box_in_pixels_step(model, batch):
    images, target = batch
    out = model(images)
    positive = target["label"] >= 0
    mse = F.mse_loss(out["box"][positive], target["box"][positive])
    return {"obj": F.binary_cross_entropy_with_logits(out["obj"], positive.float()), "coord": mse}


def objectness_twice(output, batch):
    """YOLO's sigmoid on the objectness, and BCE-with-logits on top."""
    label, box = batch[1]["label"], batch[1]["box"]
    positive = label >= 0
    confidence = torch.sigmoid(output["obj"])
    xy = torch.sigmoid(output["box"][positive])
    return {
        "obj": F.binary_cross_entropy_with_logits(confidence, positive.float()),
        "box": F.l1_loss(xy, box[positive]),
    }


bce = nn.BCEWithLogitsLoss(reduction="none")


def objectness_twice_step(model, batch):
    images, target = batch
    out = model(images)
    positive = target["label"] >= 0
    conf = out["obj"].sigmoid()
    weight = torch.where(positive, 1.0, 0.5)
    box = F.smooth_l1_loss(out["box"][positive], target["box"][positive])
    return {"conf": (bce(conf, positive.float()) * weight).mean(), "box": box}


def to_xyxy(raw):
    xy, wh = raw.sigmoid().chunk(2, -1)
    return torch.cat([xy - wh / 2, xy + wh / 2], -1)


def giou_minimised(output, batch):
    label, box = batch[1]["label"], batch[1]["box"]
    positive = label >= 0
    predicted = to_xyxy(output["box"][positive])
    giou = torch.diag(generalized_box_iou(predicted, box[positive]))
    return {
        "cls": F.binary_cross_entropy_with_logits(output["cls"], one_hot(label, output["cls"].shape[-1])),
        "giou": giou.mean(),
    }


def iou(a, b):
    lt, rb = torch.maximum(a[:, :2], b[:, :2]), torch.minimum(a[:, 2:], b[:, 2:])
    inter = (rb - lt).clamp(min=0).prod(1)
    area = lambda t: (t[:, 2] - t[:, 0]) * (t[:, 3] - t[:, 1])  # noqa: E731
    return inter / (area(a) + area(b) - inter + 1e-7)


def iou_step(model, batch):
    images, target = batch
    out = model(images)
    positive = target["label"] >= 0
    overlap = iou(to_xyxy(out["box"][positive]), target["box"][positive])
    return {"obj": F.binary_cross_entropy_with_logits(out["obj"], positive.float()), "iou": overlap.mean()}


def background_in_the_mean(output, batch):
    """The mask zeroes the background's error, the mean divides by all anchors."""
    label, box = batch[1]["label"], batch[1]["box"]
    mask = (label >= 0).float().unsqueeze(-1)
    error = F.smooth_l1_loss(output["box"], box, reduction="none") * mask
    return {
        "box": error.mean(),
        "cls": focal(output["cls"], one_hot(label, output["cls"].shape[-1])).sum() / (label >= 0).sum().clamp(min=1),
    }
