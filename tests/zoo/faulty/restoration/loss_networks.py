"""4× super-resolution with losses in the features of a network; what goes into that network, and what comes out."""

import torch
import torch.nn.functional as F
import torchvision
from torch import nn


class ResidualBlock(nn.Module):
    def __init__(self, ch):
        super().__init__()
        self.conv1 = nn.Conv2d(ch, ch, 3, padding=1)
        self.prelu = nn.PReLU()
        self.conv2 = nn.Conv2d(ch, ch, 3, padding=1)

    def forward(self, x):
        return x + self.conv2(self.prelu(self.conv1(x)))


class SRResNet(nn.Module):
    def __init__(self, ch=16, blocks=2, out="sigmoid"):
        super().__init__()
        self.head = nn.Sequential(nn.Conv2d(3, ch, 5, padding=2), nn.PReLU())
        self.body = nn.Sequential(*(ResidualBlock(ch) for _ in range(blocks)))
        self.tail = nn.Sequential(nn.Conv2d(ch, 12, 3, padding=1), nn.PixelShuffle(2))
        self.out = {"sigmoid": nn.Sigmoid(), "tanh": nn.Tanh()}[out]

    def forward(self, lr):
        return self.out(self.tail(self.body(self.head(lr))))


class Patches(torch.utils.data.Dataset):
    """Low resolution in, high resolution out; in [0, 1] or, with signed, in [-1, 1]."""

    def __init__(self, n=16, size=32, seed=0, signed=False):
        g = torch.Generator().manual_seed(seed)
        hr = F.interpolate(torch.rand(n, 3, 6, 6, generator=g), size=size, mode="bicubic")
        hr = (hr + 0.05 * torch.randn(hr.shape, generator=g)).clamp(0, 1)
        self.hr = hr * 2 - 1 if signed else hr
        self.lr = F.interpolate(self.hr, scale_factor=0.5, mode="area")

    def __len__(self):
        return len(self.hr)

    def __getitem__(self, i):
        return self.lr[i], self.hr[i]


torch.manual_seed(3)
squeezenet = torchvision.models.squeezenet1_1(weights=None).features[:5].eval().requires_grad_(False)
vgg = torchvision.models.vgg.make_layers([64, 64, "M", 128])  # vgg16(weights="DEFAULT").features[:7]
vgg.eval().requires_grad_(False)
MEAN = torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1)
STD = torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1)


def content_loss(output, batch):
    """SRGAN's content loss, straight on images in [0, 1]."""
    return {
        "mse": F.mse_loss(output, batch[1]),
        "content": F.mse_loss(squeezenet(output), squeezenet(batch[1])),
    }


class VGGLoss(nn.Module):
    def __init__(self, layers=(1, 3, 6)):
        super().__init__()
        self.vgg, self.layers = vgg, layers

    def features(self, x):
        feats = []
        for i, layer in enumerate(self.vgg):
            x = layer(x)
            if i in self.layers:
                feats.append(x)
        return feats

    def forward(self, sr, hr):
        return sum(F.l1_loss(a, b.detach()) for a, b in zip(self.features(sr), self.features(hr)))


vgg_loss = VGGLoss()


def step_unnormalised(model, batch):
    lr, hr = batch
    sr = model(lr)
    return {"pixel": F.l1_loss(sr, hr), "vgg": vgg_loss(sr, hr)}


class LPIPS(nn.Module):
    """Like the lpips package: expects [-1, 1], scales, and weighs normalised features per channel."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(5)
        self.register_buffer("shift", torch.tensor([-0.030, -0.088, -0.188])[None, :, None, None])
        self.register_buffer("scale", torch.tensor([0.458, 0.448, 0.450])[None, :, None, None])
        self.slices = nn.ModuleList([vgg[:2], vgg[2:4], vgg[4:]])
        self.lins = nn.ModuleList([nn.Conv2d(c, 1, 1, bias=False) for c in (64, 64, 128)])
        for lin in self.lins:
            lin.weight.data.abs_().mul_(0.2)
        self.requires_grad_(False).eval()

    def forward(self, x, y, normalize=False):
        if normalize:
            x, y = 2 * x - 1, 2 * y - 1
        x, y = (x - self.shift) / self.scale, (y - self.shift) / self.scale
        total = 0
        for part, lin in zip(self.slices, self.lins):
            x, y = part(x), part(y)
            unit = lambda f: f / (f.pow(2).sum(1, keepdim=True).sqrt() + 1e-6)  # noqa: E731
            total = total + lin((unit(x) - unit(y)) ** 2).mean((2, 3))
        return total.mean()


lpips = LPIPS()


def lpips_on_unit_range(output, batch):
    return {"l1": F.l1_loss(output, batch[1]), "lpips": lpips(output, batch[1])}


def lpips_step(model, batch):
    sr = model(batch[0])
    return {"mse": F.mse_loss(sr, batch[1]), "lpips": lpips(sr, batch[1])}


def lpips_mapped_twice(output, batch):
    """The images are in [-1, 1] already; normalize=True maps them again."""
    return {"l1": F.l1_loss(output, batch[1]), "lpips": lpips(output, batch[1], normalize=True)}


def normalised_twice(model, batch):
    """The data set standardises by ImageNet's mean and std, and so does the loss."""
    lr, hr = batch
    sr, hr = (model(lr) - MEAN) / STD, (hr - MEAN) / STD
    feats = lambda im: squeezenet((im - MEAN) / STD)  # noqa: E731
    return {"pixel": F.l1_loss(sr, hr), "content": F.l1_loss(feats(sr), feats(hr))}


def features_without_graph(images):
    with torch.no_grad():
        return vgg((images - MEAN) / STD)


def frozen_by_no_grad(output, batch):
    return {
        "charbonnier": ((output - batch[1]) ** 2 + 1e-6).sqrt().mean(),
        "perceptual": F.mse_loss(features_without_graph(output), features_without_graph(batch[1])),
    }


class HookedFeatures(nn.Module):
    """Features collected by forward hooks that detach what they keep."""

    def __init__(self):
        super().__init__()
        self.vgg, self.kept = vgg, []
        self.vgg[3].register_forward_hook(lambda module, args, out: self.kept.append(out.detach()))

    def forward(self, x, y):
        self.kept.clear()
        self.vgg((x - MEAN) / STD), self.vgg((y - MEAN) / STD)
        a, b = self.kept
        return (a - b).abs().mean()


hooked = HookedFeatures()


def step_with_hooks(model, batch):
    sr = model(batch[0])
    return {"l1": (sr - batch[1]).abs().mean(), "features": hooked(sr, batch[1])}


class TrainableMode(nn.Module):
    """A loss network with dropout and batch norm that nobody put into eval mode."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(11)
        self.net = nn.Sequential(
            nn.Conv2d(3, 16, 3, stride=2, padding=1),
            nn.BatchNorm2d(16),
            nn.ReLU(),
            nn.Dropout2d(0.3),
            nn.Conv2d(16, 32, 3, stride=2, padding=1),
            nn.BatchNorm2d(32),
            nn.ReLU(),
        )
        for p in self.net.parameters():
            p.requires_grad = False

    def forward(self, x, y):
        return F.mse_loss(self.net((x - MEAN) / STD), self.net((y - MEAN) / STD))


in_train_mode = TrainableMode()


def loss_network_in_train_mode(output, batch):
    return {"l1": F.l1_loss(output, batch[1]), "perceptual": in_train_mode(output, batch[1])}


dropout_features = nn.Sequential(*vgg[:4], nn.Dropout(0.5), *vgg[4:]).train()


def step_with_dropout(model, batch):
    lr, hr = batch
    sr = model(lr)
    f_sr, f_hr = dropout_features((sr - MEAN) / STD), dropout_features((hr - MEAN) / STD)
    return {"mse": F.mse_loss(sr, hr), "feat": (f_sr - f_hr).pow(2).mean()}


def swamped(output, batch):
    """Features as large as those of VGG 5_4 before its ReLU, without SRGAN's division by 12.75."""
    f, g = 60 * vgg((output - MEAN) / STD), 60 * vgg((batch[1] - MEAN) / STD)
    return {"mse": F.mse_loss(output, batch[1]), "vgg54": F.mse_loss(f, g)}
