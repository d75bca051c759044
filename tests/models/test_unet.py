import pytest
import torch

from lossdoctor.models import BUILT_IN
from lossdoctor.models.unet import UNet


@pytest.fixture
def small():
    torch.manual_seed(0)
    return UNet(base_channels=4, depth=2)


@pytest.mark.parametrize("size", [(64, 64), (63, 65), (37, 20), (5, 3), (1, 1)])
def test_output_has_the_size_of_the_input(small, size):
    assert small(torch.rand(2, 1, *size)).shape == (2, 3, *size)


@pytest.mark.parametrize(("in_channels", "out_channels"), [(1, 3), (3, 3), (1, 1), (4, 4)])
def test_channels(in_channels, out_channels):
    model = UNet(in_channels, out_channels, base_channels=2, depth=1)
    assert model(torch.rand(1, in_channels, 8, 8)).shape == (1, out_channels, 8, 8)


def test_output_stays_in_the_unit_interval_for_any_input(small):
    output = small(torch.randn(2, 1, 32, 32) * 1e3)
    assert output.min() >= 0
    assert output.max() <= 1
    assert output.std() > 0


def test_padding_repeats_the_border(small):
    photo = torch.rand(1, 1, 30, 32)
    padded_by_hand = torch.cat((photo, photo[:, :, -1:], photo[:, :, -1:]), dim=2)
    torch.testing.assert_close(small(photo), small(padded_by_hand)[:, :, :30])


@pytest.mark.parametrize("depth", [1, 2, 3])
@pytest.mark.parametrize("size", [(16, 16), (13, 22)])
def test_gradient_reaches_every_parameter(depth, size):
    torch.manual_seed(0)
    model = UNet(base_channels=4, depth=depth)
    model(torch.rand(2, 1, *size)).square().mean().backward()
    starved = [name for name, p in model.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    assert starved == []


def test_output_depends_on_far_pixels_through_the_bottleneck():
    torch.manual_seed(0)
    model = UNet(base_channels=4, depth=3)
    photo = torch.rand(1, 1, 64, 64, requires_grad=True)
    model(photo)[0, :, 32, 32].sum().backward()
    # Two 3×3 convolutions at full size, before and after the skip, see 4 pixels far; the lower levels see more.
    assert photo.grad[0, 0, 32, :16].abs().sum() > 0


def test_samples_do_not_influence_each_other(small):
    photos = torch.rand(3, 1, 16, 16)
    torch.testing.assert_close(small(photos)[1:2], small(photos[1:2]))


def test_built_in_fits_into_two_megabytes():
    model = BUILT_IN["unet"]()
    assert sum(p.numel() for p in model.parameters()) * 4 <= 1_950_000
    assert not list(model.buffers())


def test_blocks_are_named_by_their_part():
    assert [name for name, _ in BUILT_IN["unet"]().named_children()] == ["encoder", "bottleneck", "decoder", "head"]


def test_correction_needs_an_input_channel_for_each_output_channel():
    with pytest.raises(ValueError, match="in_channels of 1 or, as out_channels, 3; found 2"):
        UNet(in_channels=2, out_channels=3)


def test_without_a_correction_the_output_is_the_input(small):
    torch.nn.init.zeros_(small.head.weight)
    torch.nn.init.zeros_(small.head.bias)
    grey = torch.rand(1, 1, 16, 16) * 0.98 + 0.01
    torch.testing.assert_close(small(grey), grey.expand(1, 3, 16, 16))


@pytest.mark.parametrize("argument", ["in_channels", "out_channels", "base_channels", "depth"])
def test_impossible_sizes_are_refused(argument):
    with pytest.raises(ValueError, match="at least 1"):
        UNet(**{argument: 0})
