"""Fine-tuning torchvision's Faster R-CNN: in train mode the model itself returns its losses."""

import torch
from torch.utils.data import Dataset
from torchvision.models.detection import fasterrcnn_mobilenet_v3_large_320_fpn


def build(num_classes):
    return fasterrcnn_mobilenet_v3_large_320_fpn(
        weights=None, weights_backbone=None, num_classes=num_classes, min_size=64, max_size=64
    )


class Shapes(Dataset):
    """Bright rectangles on noise."""

    def __len__(self):
        return 8

    def __getitem__(self, index):
        generator = torch.Generator().manual_seed(index)
        image = torch.rand(3, 64, 64, generator=generator) * 0.3
        corner = torch.randint(0, 24, (2, 2), generator=generator)
        boxes = torch.cat([corner, corner + torch.randint(16, 40, (2, 2), generator=generator)], dim=1)
        for left, top, right, bottom in boxes.tolist():
            image[:, top:bottom, left:right] += 0.6
        labels = torch.randint(1, 4, (2,), generator=generator)
        return image, {"boxes": boxes.float(), "labels": labels}


def batches(batch_size):
    data = Shapes()
    for start in range(0, len(data), batch_size):
        samples = [data[index] for index in range(start, start + batch_size)]
        yield [image for image, _ in samples], [target for _, target in samples]


def step(model, batch):
    images, targets = batch
    return model(images, targets)
