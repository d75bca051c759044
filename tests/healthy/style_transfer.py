"""Fast style transfer: content and Gram matrices of a frozen network, with the usual 1e5 on the style."""

import torch
import torch.nn.functional as F
from torch import nn


class Transformer(nn.Module):
    def __init__(self, channels=12):
        super().__init__()
        self.net = nn.Sequential(
            nn.ReflectionPad2d(1),
            nn.Conv2d(3, channels, 3),
            nn.InstanceNorm2d(channels, affine=True),
            nn.ReLU(),
            nn.ReflectionPad2d(1),
            nn.Conv2d(channels, 3, 3),
        )

    def forward(self, x):
        return self.net(x)


class LossNetwork(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(11)
        self.slice1 = nn.Sequential(nn.Conv2d(3, 16, 3, padding=1), nn.ReLU())
        self.slice2 = nn.Sequential(nn.MaxPool2d(2), nn.Conv2d(16, 32, 3, padding=1), nn.ReLU())
        for parameter in self.parameters():
            parameter.requires_grad = False

    def forward(self, x):
        h1 = self.slice1(x)
        return h1, self.slice2(h1)


def gram(y):
    b, c, h, w = y.shape
    features = y.view(b, c, h * w)
    return features.bmm(features.transpose(1, 2)) / (c * h * w)


network = LossNetwork()
style_image = F.interpolate(torch.rand(1, 3, 6, 6, generator=torch.Generator().manual_seed(1)), size=24)
style_grams = [gram(y) for y in network(style_image)]


def batches():
    for seed in range(4):
        generator = torch.Generator().manual_seed(seed)
        yield F.interpolate(torch.rand(4, 3, 6, 6, generator=generator), size=24, mode="bilinear")


def losses(model, x):
    y = model(x)
    features_y, features_x = network(y), network(x)
    style = sum(
        F.mse_loss(gram(ft_y), gm_s.expand(len(x), -1, -1)) for ft_y, gm_s in zip(features_y, style_grams, strict=True)
    )
    return {"content": F.mse_loss(features_y[1], features_x[1]), "style": style}
