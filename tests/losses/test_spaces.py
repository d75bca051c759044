"""The table of scales, against the whole RGB cube."""

import itertools
import subprocess
import sys

import pytest
import torch

from lossdoctor.config.schema import CHANNELS
from lossdoctor.losses.color import ColorView
from lossdoctor.losses.spaces import SPACES, channel_spans, selected_channels

#: 21³ colours, the corners of the cube among them, where every extreme but that of hue lies.
CUBE = torch.tensor(list(itertools.product(torch.linspace(0, 1, 21, dtype=torch.float64), repeat=3)))
CUBE = CUBE.double().T.reshape(1, 3, 21, 441)


def raw(space):
    return ColorView("tested", space, None, normalize=False)(CUBE)[0].flatten(1)


@pytest.mark.parametrize("space", SPACES)
def test_letters_are_those_of_the_config(space):
    assert tuple(channel.letter for channel in SPACES[space]) == CHANNELS[space]


def test_every_space_of_the_config_has_a_scale():
    assert set(SPACES) == set(CHANNELS)


@pytest.mark.parametrize("space", SPACES)
def test_minimum_and_maximum_are_those_of_the_rgb_cube(space):
    for channel, values in zip(SPACES[space], raw(space), strict=True):
        # Hue never reaches 2π: on this grid the last step before it is 1/120 of the circle.
        slack = 2 * torch.pi / 120 + 1e-9 if channel.letter == "H" else 0.011
        assert channel.minimum - 1e-9 <= values.min() <= channel.minimum + slack
        assert channel.maximum - slack <= values.max() <= channel.maximum + 1e-9


@pytest.mark.parametrize("space", SPACES)
def test_scaled_channels_lie_in_zero_to_one(space):
    scaled = ColorView("tested", space, None, normalize=True)(CUBE)
    assert scaled.min() >= -1e-9
    assert scaled.max() <= 1 + 1e-9


@pytest.mark.parametrize("space", SPACES)
def test_scaled_channels_use_a_good_part_of_zero_to_one(space):
    scaled = ColorView("tested", space, None, normalize=True)(CUBE)[0].flatten(1)
    assert (scaled.amax(1) - scaled.amin(1)).min() > 0.7


@pytest.mark.parametrize(
    ("space", "lowest", "highest"),
    [
        ("lab", (0, -128, -128), (100, 128, 128)),
        ("luv", (0, -134, -140), (100, 220, 122)),  # OpenCV's documentation of 8-bit Luv
        ("yuv", (0, -0.436, -0.615), (1, 0.436, 0.615)),
        ("xyz", (0, 0, 0), (0.9505, 1, 1.089)),
    ],
)
def test_published_encodings_are_scaled_to_zero_to_one(space, lowest, highest):
    spans = channel_spans(space)
    assert [(raw + offset) / span for raw, (offset, span) in zip(lowest, spans, strict=True)] == [0, 0, 0]
    scaled = [(raw + offset) / span for raw, (offset, span) in zip(highest, spans, strict=True)]
    assert scaled == pytest.approx([1, 1, 1], rel=3e-4)


def test_channels_are_selected_in_the_order_of_their_letters():
    assert [channel.letter for channel in selected_channels("lab", ["b", "L"])] == ["b", "L"]
    assert [channel.letter for channel in selected_channels("lab", None)] == ["L", "a", "b"]


def test_the_table_does_not_import_torch():
    program = "import sys, lossdoctor.losses.spaces; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
