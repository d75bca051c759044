"""The sample checkpoint is what it says: a U-Net that colours photographs it has not seen better than grey would."""

from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file

from lossdoctor.config.schema import ImageData
from lossdoctor.models import BUILT_IN
from lossdoctor.setup.images import PhotoFolder

FOLDER = Path(__file__).parents[2] / "sample_data" / "colorization"
CHECKPOINT = FOLDER / "unet.safetensors"
UNSEEN = ("chelsea", "hopper", "stream", "wine")


@pytest.fixture(scope="module")
def model():
    model = BUILT_IN["unet"]()
    model.load_state_dict(load_file(CHECKPOINT))
    return model.eval()


def psnr(output, target):
    return -10 * torch.log10((output - target).square().mean(dim=(1, 2, 3)))


@torch.no_grad()
def test_colours_unseen_photographs_better_than_grey(model):
    photos = PhotoFolder(ImageData(images="../photos", size=64), FOLDER)
    unseen = [photos[i] for i, file in enumerate(photos.files) if file.name.startswith(UNSEEN)]
    assert len(unseen) == 12
    grey, target = (torch.stack(images) for images in zip(*unseen, strict=True))
    assert psnr(model(grey), target).mean() > psnr(grey, target).mean() + 1
    torch.manual_seed(0)
    assert psnr(model(grey), target).mean() > psnr(BUILT_IN["unet"]()(grey), target).mean() + 1


def test_fits_into_two_megabytes_and_says_what_was_held_out():
    assert CHECKPOINT.stat().st_size <= 2_000_000
    with safe_open(CHECKPOINT, "pt") as file:
        assert file.metadata()["validation_photos"] == ", ".join(UNSEEN)
