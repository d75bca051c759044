"""Where images enter a pretrained network of the loss."""

import pytest
import torch
import torch.nn.functional as F
import torchvision
from torch import nn

from .test_operands import data, trace


def networks(loss):
    """What networks a loss (prediction, target) -> scalar is seen to give images to, and with which range."""
    batches = [(data(2, 3, 32, 32), data(2, 3, 32, 32, seed=1, low=0, high=1))]
    operations = trace(lambda model, batch: {"loss": loss(model(batch[0]), batch[1])}, batches)
    return [
        (operation.arguments["network"], operation.operands[0])
        for operation in operations
        if "network" in operation.name
    ]


def distance(network):
    return lambda x, y: F.mse_loss(network(x), network(y))


@pytest.mark.parametrize(
    ("network", "name"),
    [
        (lambda: torchvision.models.vgg.make_layers([64, "M", 128]), "VGG"),
        (lambda: torchvision.models.squeezenet1_1(weights=None).features[:3], "SqueezeNet"),
    ],
)
def test_knows_torchvision_networks_by_their_first_layer(network, name):
    prediction, target = networks(distance(network().eval().requires_grad_(False)))
    assert prediction[0] == target[0] == name
    assert prediction[1].requires_grad
    assert not target[1].requires_grad
    assert 0 <= target[1].overall.minimum < target[1].overall.maximum <= 1


class TinyLPIPS(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Conv2d(3, 16, 3).requires_grad_(False)

    def forward(self, x):
        return self.net(x)


def test_knows_a_smaller_one_by_the_name_of_its_class():
    assert [name for name, _ in networks(distance(TinyLPIPS()))] == ["LPIPS", "LPIPS"]


@pytest.mark.parametrize(
    "network",
    [
        nn.Conv2d(3, 16, 3).requires_grad_(False),  # random features of no name
        nn.Conv2d(3, 64, 3),  # trained
        nn.Conv2d(1, 64, 3).requires_grad_(False),
    ],
)
def test_leaves_other_convolutions_alone(network):
    assert networks(lambda x, y: network(x[:, : network.in_channels]).mean() + torch.mean(y)) == []
