"""Colour conversion, against published colours and the standard library."""

import colorsys
import math

import pytest
import torch

from lossdoctor.errors import LossDoctorError
from lossdoctor.losses.color import ColorView

from .components import random_image

RED, GREEN, BLUE = (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)

#: sRGB, D65, 2° observer: Lindbloom's calculator (lab, luv), IEC 61966-2-1 (xyz), BT.470 (yuv), JFIF (ycbcr).
PUBLISHED = [
    ("lab", RED, (53.24, 80.09, 67.20)),
    ("lab", GREEN, (87.73, -86.18, 83.18)),
    ("lab", BLUE, (32.30, 79.19, -107.86)),
    ("luv", RED, (53.24, 175.01, 37.76)),
    ("luv", GREEN, (87.73, -83.08, 107.40)),
    ("luv", BLUE, (32.30, -9.40, -130.34)),
    ("xyz", RED, (0.4124, 0.2126, 0.0193)),
    ("xyz", BLUE, (0.1805, 0.0722, 0.9505)),
    ("xyz", (0.5, 0.5, 0.5), (0.2034, 0.2140, 0.2330)),  # linear light: a matrix of sRGB would give 0.475 …
    ("yuv", RED, (0.299, -0.147, 0.615)),
    ("yuv", BLUE, (0.114, 0.436, -0.100)),
    ("ycbcr", RED, (0.299, 0.3313, 1.0)),
    ("ycbcr", BLUE, (0.114, 1.0, 0.4187)),
    ("gray", GREEN, (0.587,)),
    ("rgb", GREEN, GREEN),
]


def view(space, letters=None, normalize=False):
    return ColorView("tested", space, letters, normalize)


def pixel(color):
    return torch.tensor(color, dtype=torch.float64).view(1, 3, 1, 1)


@pytest.mark.parametrize(("space", "color", "expected"), PUBLISHED)
def test_published_colors(space, color, expected):
    tolerance = 0.02 if space in ("lab", "luv") else 1e-3
    assert view(space)(pixel(color)).flatten().tolist() == pytest.approx(expected, abs=tolerance)


def test_hsv_agrees_with_the_standard_library():
    image = random_image(1, 3, 8, 8)
    hue, saturation, value = view("hsv")(image)[0].flatten(1).tolist()
    expected = [colorsys.rgb_to_hsv(*color) for color in image[0].flatten(1).T.tolist()]
    assert [angle / (2 * math.pi) for angle in hue] == pytest.approx([color[0] for color in expected])
    assert saturation == pytest.approx([color[1] for color in expected], rel=1e-6)
    assert value == pytest.approx([color[2] for color in expected])


def test_normalized_lab_is_l_over_100_and_ab_plus_128_over_256():
    image = random_image(2, 3, 4, 4)
    lightness, a, b = view("lab")(image).unbind(1)
    expected = torch.stack([lightness / 100, (a + 128) / 256, (b + 128) / 256], dim=1)
    torch.testing.assert_close(view("lab", normalize=True)(image), expected, rtol=1e-14, atol=0)


@pytest.mark.parametrize("normalize", [True, False])
def test_channels_come_in_the_order_of_their_letters(normalize):
    image = random_image(2, 3, 4, 4)
    everything = view("lab", normalize=normalize)(image)
    assert torch.equal(view("lab", ("b", "L"), normalize)(image), everything[:, [2, 0]])


def test_rgb_is_the_very_tensor():
    image = random_image(1, 3, 2, 2)
    assert view("rgb", normalize=True)(image) is image


@pytest.mark.parametrize("space", ["rgb", "gray"])
def test_grey_images_stay_as_they_are(space):
    image = random_image(1, 1, 2, 2)
    assert view(space)(image) is image


@pytest.mark.parametrize(("space", "letters"), [("lab", None), ("lab", ("L",)), ("hsv", None), ("rgb", ("R",))])
def test_grey_images_have_no_color(space, letters):
    with pytest.raises(LossDoctorError, match=rf"'tested': space {space}.* needs RGB.*\n.*space: gray"):
        view(space, letters)(random_image(1, 1, 2, 2))
