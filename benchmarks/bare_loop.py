"""What a practitioner would write to look at the gradients of the sample's loss: the least that `inspect` has to do.

The same imports, photographs, model and loss as `sample_data/colorization/normalized.yaml`, and per batch one forward
and a backward for each component; nothing is kept, nothing is diagnosed.
"""

from __future__ import annotations

from pathlib import Path

import kornia
import torch
import torch.nn.functional as F
import torchvision
from PIL import Image
from safetensors.torch import load_file
from torchvision.transforms.functional import to_tensor

from lossdoctor.models.unet import UNet

SAMPLE = Path(__file__).parents[1] / "sample_data"
BATCHES, BATCH_SIZE, SIZE = 4, 8, 64


def photographs() -> list[torch.Tensor]:
    """Return batches of RGB photographs, N×3×H×W in [0, 1]."""
    files = sorted((SAMPLE / "photos").glob("*.jpg"))[: BATCHES * BATCH_SIZE]
    images = torch.stack([to_tensor(Image.open(file).convert("RGB").resize((SIZE, SIZE))) for file in files])
    return list(images.split(BATCH_SIZE))


def lab(image: torch.Tensor) -> torch.Tensor:
    """Return normalised CIELAB."""
    lightness, chroma = kornia.color.rgb_to_lab(image).split([1, 2], dim=1)
    return torch.cat([lightness / 100, (chroma + 128) / 256], dim=1)


def main() -> None:
    """Differentiate every component on every batch."""
    model = UNet(in_channels=1, out_channels=3)
    model.load_state_dict(load_file(SAMPLE / "colorization" / "unet.safetensors"))
    backbone = torchvision.models.squeezenet1_1(weights=None).features.eval().requires_grad_(False)
    parameters = list(model.parameters())
    for target in photographs():
        output = model(kornia.color.rgb_to_grayscale(target))
        ours, theirs = lab(output), lab(target)
        losses = [
            F.mse_loss(backbone(output), backbone(target)),
            F.mse_loss(ours, theirs),
            F.mse_loss(ours[:, 1:], theirs[:, 1:]),
        ]
        for index, loss in enumerate(losses):
            torch.autograd.grad(loss, parameters, retain_graph=index < len(losses) - 1)


if __name__ == "__main__":
    main()
